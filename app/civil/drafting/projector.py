"""How the drafts of acts become rows, and in which area they stand."""

from __future__ import annotations

from app.civil.drafting import tables
from app.civil.projector import civil_area
from app.ledger.projection import Projection

PROJECTIONS: list[Projection] = [
    Projection("draft", tables.draft, area=civil_area),
]
