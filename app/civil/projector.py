"""How declarations, acts, links and tasks become rows, and in which area they stand. What they count for is the
statistics' question."""

from __future__ import annotations

from app.civil import tables
from app.ledger.projection import Projection, Values


def civil_area(values: Values, grant_commune: str | None) -> str | None:
    """`civil:<commune>`, read by no tablet (protocol section 7): the commune named, else that of the writer's grant."""
    commune = values.get("commune") or grant_commune
    return f"civil:{commune}" if commune else None


def number_key(values: Values) -> str | None:
    """`office|year|volume|number`: the place of an act in the books; None where a part of it is unknown."""
    parts = [values.get(name) for name in ("office", "year", "volume", "number")]
    return None if None in parts else "|".join(map(str, parts))


PROJECTIONS: list[Projection] = [
    Projection("birth", tables.birth, area=civil_area),
    Projection(
        "act",
        tables.act,
        area=civil_area,
        derived={"number_key": number_key},
        yielding="number_key",
        final=True,
    ),
    Projection("link", tables.link, area=civil_area),
    Projection("task", tables.task, area=civil_area),
]
