"""How a decision about two records that may be one becomes a row, and in which area it stands."""

from __future__ import annotations

from app.ledger.projection import Projection, Values
from app.population.duplicates import tables


def _area(values: Values, grant_commune: str | None) -> str | None:
    commune = values.get("commune") or grant_commune
    return f"civil:{commune}" if commune else None


PROJECTIONS: list[Projection] = [
    Projection("pairing", tables.pairing, area=_area),
]
