"""How folded households and persons become rows: their area of the feed and the derived search column.

Knows neither the fold nor a request; the door applies it."""

from __future__ import annotations

import unicodedata

from app.ledger.projection import Projection, Values
from app.population import tables


def household_area(values: Values, _grant_commune: str | None) -> str | None:
    """The quartier, else the commune's own area, else None (the fallback of the writer's commune)."""
    quartier: str | None = values.get("quartier")
    if quartier is not None:
        return quartier
    commune = values.get("commune")
    return f"commune:{commune}" if commune is not None else None


def person_search(values: Values) -> str | None:
    """What the three name elements are searched by; None for a person without a name."""
    written = " ".join(values[name] for name in ("nom", "postnom", "prenom") if name in values)
    if not written:
        return None
    if not written.isascii():
        written = unicodedata.normalize("NFKD", written).encode("ascii", "ignore").decode()
    return " ".join(sorted(written.lower().split())) or None


PROJECTIONS = [
    Projection("household", tables.household, area=household_area),
    Projection(
        "person", tables.person, follows="household", followed="household", derived={"search": person_search}
    ),
]
