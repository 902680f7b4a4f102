"""A node opened for work: every kind it keeps in tables, what they count for, and the door. Knows no call of the API:
a command that asks for none does not load them all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.census.projector import PROJECTIONS as CENSUS
from app.civil.books.projector import PROJECTIONS as BOOKS
from app.civil.drafting.projector import PROJECTIONS as DRAFTS
from app.civil.late.projector import PROJECTIONS as LATE
from app.civil.margins.projector import PROJECTIONS as MARGINS
from app.civil.projector import PROJECTIONS as CIVIL
from app.clock import Clock
from app.database import Database
from app.documents.projector import PROJECTIONS as DOCUMENTS
from app.law.parameters import apply_law, read_law
from app.ledger.door import Door
from app.ledger.node import SteadyClock, reconcile_identity
from app.ledger.projection import Cell, Projection, Registry, Shape
from app.ledger.projector import PROJECTIONS as LEDGER
from app.population.duplicates.projector import PROJECTIONS as PAIRINGS
from app.population.projector import PROJECTIONS as POPULATION
from app.settings import Settings, law_files
from app.statistics.projector import COUNTED, ROLLUPS, make_cells
from app.territory.countries import COUNTRIES
from app.territory.places import Territory

PROJECTIONS: list[Projection] = [
    *(*LEDGER, *POPULATION, *PAIRINGS, *CENSUS),
    *(*CIVIL, *BOOKS, *DRAFTS, *LATE, *MARGINS, *DOCUMENTS),
]


def make_registry(territory: Territory, cells: Cell | None = None) -> Registry:
    """Every kind the server keeps in tables, what it counts for, and the codes in force."""
    codes = {"commune": territory.communes, "quartier": territory.quartiers, "country": COUNTRIES}
    shapes = {each.kind: Shape(each, codes) for each in PROJECTIONS}
    if cells is not None:
        return Registry(shapes, cells, ROLLUPS, codes)
    return Registry(shapes, make_cells(territory), ROLLUPS, codes, COUNTED)


@dataclass(frozen=True)
class Node:
    """A node opened for work: its settings, database, clock and door."""

    settings: Settings
    database: Database
    clock: Clock
    territory: Territory
    door: Door

    @classmethod
    def open(
        cls, settings: Settings, *, database: Database | None = None, clock: Clock | None = None
    ) -> Node:
        """Open the node in `settings.data`. Raises app.database.NotDurable on weak storage settings,
        app.settings.UnreadableLaw and app.law.parameters.LawError on a jurist's files that cannot be applied."""
        apply_law(read_law(law_files(settings)))
        store = database or Database(settings.url)
        store.assert_durable()
        identity = reconcile_identity(store, Path(settings.data))
        the_clock = clock or Clock()
        with store.read() as connection:
            territory = Territory.read(connection)
            steady = SteadyClock(the_clock, connection)
        door = Door(store, identity, clock=steady, registry=make_registry(territory), territory=territory)
        return cls(settings, store, the_clock, territory, door)
