"""A database that holds the territory as `mboka init` leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.database import METADATA, Database
from app.territory.load import load_territory
from app.territory.places import Territory


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    store = Database(f"sqlite:///{tmp_path / 'territory.db'}")
    METADATA.create_all(store.engine)
    with store.write() as connection:
        load_territory(connection)
    yield store
    store.close()


@pytest.fixture
def territory(database: Database) -> Territory:
    with database.read() as connection:
        return Territory.read(connection)
