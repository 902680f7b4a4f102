"""How documents and their deliveries become rows, and in which area they stand."""

from __future__ import annotations

from app.civil.projector import civil_area
from app.documents import tables
from app.ledger.projection import Projection

PROJECTIONS: list[Projection] = [
    Projection("document", tables.civil_document, area=civil_area, final=True),
    Projection("delivery", tables.civil_delivery, area=civil_area, final=True),
]
