"""Where the ledger's own kinds stand: devices, confirmations of the clock, questions to agents."""

from __future__ import annotations

from app.ledger.areas import REFERENCE, address_area
from app.ledger.projection import Projection, Values
from app.ledger.tables import clock_confirmation, device, question


def _reference(_values: Values, _commune: str | None) -> str:
    return REFERENCE


PROJECTIONS = [
    Projection("device", device, area=_reference),
    Projection("clock", clock_confirmation, area=_reference),
    Projection("question", question, area=address_area),
]
