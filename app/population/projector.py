"""How folded households and persons become rows: their area of the feed and the numbers a name is searched by.

Knows neither the fold nor a request; the door applies it."""

from __future__ import annotations

from app.ledger.areas import address_area
from app.ledger.projection import Projection
from app.population import tables
from app.population.names import SLOT_COLUMNS, slots

PROJECTIONS = [
    Projection("household", tables.household, area=address_area),
    Projection(
        "person",
        tables.person,
        follows="household",
        followed="household",
        together=(SLOT_COLUMNS, ("nom", "postnom", "prenom"), slots),
    ),
]
