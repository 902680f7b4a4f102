"""How files of the late procedure and campaigns become rows, and in which area they stand."""

from __future__ import annotations

from app.civil.late import tables
from app.civil.projector import civil_area
from app.ledger.projection import Projection

PROJECTIONS: list[Projection] = [
    Projection("procedure", tables.late_procedure, area=civil_area),
    Projection("campaign", tables.campaign, area=civil_area),
]
