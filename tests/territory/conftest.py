"""A database that holds the territory as `mboka init` leaves it."""

from __future__ import annotations

import pytest

from app.database import Database
from app.territory.load import load_territory
from app.territory.places import Territory


@pytest.fixture
def database(database: Database) -> Database:
    """The shared empty database, with the territory loaded."""
    with database.write() as connection:
        load_territory(connection)
    return database


@pytest.fixture
def territory(database: Database) -> Territory:
    """The territory as the server reads it at start."""
    with database.read() as connection:
        return Territory.read(connection)
