"""How documents and their deliveries become rows, and in which area they stand."""

from __future__ import annotations

from app.civil.projector import civil_area
from app.civil.tables import civil_delivery
from app.documents.tables import civil_document
from app.ledger.projection import Projection

PROJECTIONS: list[Projection] = [
    Projection("document", civil_document, area=civil_area, final=True),
    Projection("delivery", civil_delivery, area=civil_area, final=True),
]
