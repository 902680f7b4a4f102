"""How offices, books, volets and provisional declarations become rows, and in which area they stand."""

from __future__ import annotations

from app.civil.books import tables
from app.civil.projector import civil_area
from app.ledger.projection import Projection

PROJECTIONS: list[Projection] = [
    Projection("office", tables.civil_office, area=civil_area),
    Projection("book", tables.book, area=civil_area),
    Projection("volet", tables.volet, area=civil_area),
    Projection("provisional", tables.provisional, area=civil_area),
]
