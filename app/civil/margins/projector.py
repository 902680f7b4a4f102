"""How margin notes and requests for annulment become rows, and in which area they stand."""

from __future__ import annotations

from app.civil.margins import tables
from app.civil.projector import civil_area
from app.ledger.projection import Projection

PROJECTIONS: list[Projection] = [
    Projection("annotation", tables.annotation, area=civil_area, final=True),
    Projection("annulment", tables.annulment, area=civil_area),
]
