"""How a folded visit becomes a row: it lies in the quartier it names, else where its household lies.
What visits count for is the business of app.statistics."""

from __future__ import annotations

from app.census.tables import visit
from app.ledger.projection import Projection, Values


def visit_area(values: Values, commune: str | None) -> str | None:
    """The visit's own quartier; None = its household's area; without a household the commune it names, if any."""
    if (quartier := values.get("quartier")) is not None:
        return str(quartier)
    if values.get("household") is None and (named := values.get("commune")) is not None:
        return f"commune:{named}"
    return None


PROJECTIONS = [
    Projection(kind="visit", table=visit, area=visit_area, follows="household", followed="household")
]
