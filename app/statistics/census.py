"""Results of the census: households, persons, visits, refusals and children without a birth act, by place.
Read from the rollups only."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import sqlalchemy as sa

from app.statistics.figures import ADULT, Figures, Key, Ratio, in_order, rates, read_cutoff, shown, sums
from app.statistics.tables import census_cell, population_cell
from app.territory.places import Territory

CENSUS = "census"

DIMENSIONS = ("commune", "quartier")
COUNTS = ("households", "persons", "contacted", "refused", "under18", "under18_no_act")
RATIOS = {
    "refusal_rate": Ratio(above="refused", below="contacted"),
    "persons_per_household": Ratio(above="persons", below="households"),
    "under18_no_act_rate": Ratio(above="under18_no_act", below="under18"),
}
# What of census_cell counts towards which figures.
_COUNTED = {
    "households": ("households",),
    "persons": ("persons",),
    "completed": ("contacted",),
    "partial": ("contacted",),
    "refused": ("contacted", "refused"),
}
_DEFINITION = (
    "Ménages (households) : ménages inscrits. Personnes (persons) : résidents, sauf ceux dits partis ou décédés. "
    "Chefs contactés (contacted) : visites terminées, partielles ou refusées ; refus (refused) : visites refusées ; "
    "une nouvelle visite au même ménage compte à nouveau. Taux de refus (refusal_rate) = refus ÷ contactés. "
    "Taille moyenne (persons_per_household) = personnes ÷ ménages. Mineurs sans acte (under18_no_act) : résidents "
    "dont l'âge atteint au 31 décembre {year} est inférieur à 18 ans et pour qui aucun acte de naissance n'a été "
    "trouvé ; leur part (under18_no_act_rate) = mineurs sans acte ÷ mineurs (under18). Rapports en fraction de 1. "
    "Une ligne absente compte zéro."
)


def census(
    connection: sa.Connection,
    *,
    by: tuple[str, ...],
    communes: frozenset[str] | None,
    year: int,
    territory: Territory,
) -> Figures:
    """Counts and rates by place in these communes (None = all); ages are reached on 31 December of `year`."""
    found: dict[Key, Counter[str]] = defaultdict(Counter)
    counted = sums(
        connection, census_cell, keys=[*by, "what"], counts=[census_cell.c["count"]], communes=communes
    )
    for (*stored, what), (count,) in counted:
        key = tuple(shown(name, value, territory=territory) for name, value in zip(by, stored, strict=True))
        for name in _COUNTED.get(what, ()):
            found[key][name] += count
    cell = population_cell.c
    minors = sums(
        connection,
        population_cell,
        keys=by,
        counts=[cell.persons, cell.persons * cell.no_act],
        communes=communes,
        where=[cell.birth_year.between(year - ADULT + 1, year)],
    )
    for place, (all_minors, without) in minors:
        key = tuple(shown(name, value, territory=territory) for name, value in zip(by, place, strict=True))
        found[key].update(under18=all_minors, under18_no_act=without)
    if not by:
        found.setdefault((), Counter())
    rows = [
        _row(dict(zip(by, key, strict=True)), counts)
        for key, counts in found.items()
        if any(counts.values()) or not by
    ]
    return Figures(
        name=CENSUS,
        by=by,
        counts=COUNTS,
        ratios=RATIOS,
        rows=in_order(rows, by),
        cutoff=read_cutoff(connection),
        definition=_DEFINITION.format(year=year),
        filters={},
        members={"reference_year": year},
    )


def _row(place: dict[str, Any], counts: Counter[str]) -> dict[str, Any]:
    return {**place, **{name: counts[name] for name in COUNTS}, **rates(counts, RATIOS)}
