"""Residents by place, sex and age, or by nationality group: read from the rollups only, never from persons."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from app.statistics.figures import (
    COMBINATION_REFUSED,
    Figures,
    Key,
    age_group,
    in_order,
    read_cutoff,
    shown,
    sums,
)
from app.statistics.tables import nationality_cell, population_cell
from app.territory.places import Territory

DIMENSIONS = ("commune", "quartier", "sex", "age_group", "nationality_group")
NATIONALITY = "nationality_group"

_RESIDENTS = (
    "Résidents : personnes inscrites, sauf celles dites parties ou décédées (résidence habituelle). "
    "Une combinaison absente compte zéro personne."
)
_AGE = (
    " Âge : âge atteint au 31 décembre {year} (l'année de référence moins l'année de naissance), exact pour toute "
    "personne dont l'année de naissance est connue ; « inconnu » quand elle ne l'est pas ou qu'elle est postérieure."
)
_NATIONALITY = (
    " Groupe de nationalité : congolaise, étrangère, indéterminée ou inconnue ; "
    "il ne se croise qu'avec la commune."
)


def population(
    connection: sa.Connection,
    *,
    by: tuple[str, ...],
    communes: frozenset[str] | None,
    year: int,
    territory: Territory,
) -> Figures:
    """Residents grouped by `by` in these communes (None = all); ages are reached on 31 December of `year`.

    Raises `combination_refused` (422) when the nationality group is crossed with anything but the commune.
    """
    if NATIONALITY in by and not {NATIONALITY, "commune"}.issuperset(by):
        raise COMBINATION_REFUSED("nationality_group ne se croise qu'avec commune.")
    table = nationality_cell if NATIONALITY in by else population_cell
    names = ["birth_year" if name == "age_group" else name for name in by]
    found: Counter[Key] = Counter()
    for stored, (count,) in sums(connection, table, keys=names, counts=[table.c.persons], communes=communes):
        key = (
            age_group(value, year) if name == "age_group" else shown(name, value, territory=territory)
            for name, value in zip(by, stored, strict=True)
        )
        found[tuple(key)] += count
    rows = [
        {**dict(zip(by, key, strict=True)), "persons": count}
        for key, count in found.items()
        if count or not by
    ]
    definition = _RESIDENTS
    if "age_group" in by:
        definition += _AGE.format(year=year)
    if NATIONALITY in by:
        definition += _NATIONALITY
    return Figures(
        name="population",
        by=by,
        counts=("persons",),
        rows=in_order(rows, by),
        cutoff=read_cutoff(connection),
        definition=definition,
        filters={},
        members={"reference_year": year},
    )
