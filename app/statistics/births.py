"""Births registered, by year of registration or of birth: read from the rollups only, never from acts."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import sqlalchemy as sa

from app.errors import problem
from app.statistics.figures import Figures, Key, in_order, read_cutoff, shown, sums
from app.statistics.tables import birth_cell, birth_year
from app.territory.places import Territory

YEARS_REVERSED = problem(
    "years_reversed", 422, "Période à l'envers", "La première année (from) ne dépasse pas la dernière (to)."
)

Basis = Literal["registration", "birth"]
DIMENSIONS = ("commune", "year", "delay", "quartier", "sex", "mode", "month")
_SHORT = frozenset({"commune", "year", "delay"})
_YEARS = {
    "registration": "par année du registre (le mois est celui de l'inscription)",
    "birth": "par année et mois de naissance de l'enfant",
}


def births(
    connection: sa.Connection,
    *,
    by: tuple[str, ...],
    basis: Basis,
    communes: frozenset[str] | None,
    years: tuple[int | None, int | None],
    territory: Territory,
) -> Figures:
    """Registered births grouped by `by` in these communes (None = all) and years (first, last; None = open).

    Raises `years_reversed` (422). A combination with no birth has no row.
    """
    first, last = years
    if first is not None and last is not None and first > last:
        raise YEARS_REVERSED(f"from={first} vient après to={last}.")
    table = birth_year if _SHORT.issuperset(by) else birth_cell
    where = [table.c.basis == basis]
    if first is not None:
        where.append(table.c.year >= first)
    if last is not None:
        where.append(table.c.year.between(1, last))
    found: Counter[Key] = Counter()
    cells = sums(connection, table, keys=by, counts=[table.c.births], communes=communes, where=where)
    for stored, (count,) in cells:
        found[
            tuple(shown(name, value, territory=territory) for name, value in zip(by, stored, strict=True))
        ] += count
    rows: list[dict[str, Any]] = [
        {**dict(zip(by, key, strict=True)), "births": count}
        for key, count in found.items()
        if count or not by
    ]
    return Figures(
        name="births",
        by=by,
        counts=("births",),
        rows=in_order(rows, by),
        cutoff=read_cutoff(connection),
        definition=_definition(basis, by),
        filters={name: year for name, year in (("from", first), ("to", last)) if year is not None},
        members={"basis": basis},
    )


def _definition(basis: Basis, by: tuple[str, ...]) -> str:
    sentences = [
        f"Naissances vivantes inscrites (actes dressés ou repris du papier), {_YEARS[basis]}.",
        "La commune est celle du bureau qui a dressé l'acte.",
    ]
    if "quartier" in by:
        sentences.append("Le quartier est celui de la résidence de la mère.")
    if "delay" in by:
        sentences.append(
            "Délai : date de la déclaration moins date de naissance, jugé selon la loi en vigueur le jour de la "
            "déclaration ; indéterminé quand une des deux dates n'est pas assez précise."
        )
    sentences.append("Une combinaison absente compte zéro naissance.")
    return " ".join(sentences)
