"""How folded households and persons become rows: their area of the feed and the numbers a name is searched by.

Knows neither the fold nor a request; the door applies it."""

from __future__ import annotations

from app.ledger.projection import Projection, Values
from app.population import tables
from app.population.names import SLOT_COLUMNS, slots


def household_area(values: Values, _grant_commune: str | None) -> str | None:
    """The quartier, else the commune's own area, else None (the fallback of the writer's commune)."""
    quartier: str | None = values.get("quartier")
    if quartier is not None:
        return quartier
    commune = values.get("commune")
    return f"commune:{commune}" if commune is not None else None


def _slots(values: Values) -> tuple[int | None, ...]:
    get = values.get
    return slots(get("nom"), get("postnom"), get("prenom"))


PROJECTIONS = [
    Projection("household", tables.household, area=household_area),
    Projection(
        "person",
        tables.person,
        follows="household",
        followed="household",
        together=(SLOT_COLUMNS, _slots),
    ),
]
