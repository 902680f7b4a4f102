"""How margin notes and requests for annulment become rows, and in which area they stand."""

from __future__ import annotations

from app.civil.margins.tables import annulment
from app.civil.projector import civil_area
from app.civil.tables import annotation
from app.ledger.projection import Projection

PROJECTIONS: list[Projection] = [
    Projection("annotation", annotation, area=civil_area, final=True),
    Projection("annulment", annulment, area=civil_area),
]
