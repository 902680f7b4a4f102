"""A node of its own for every test that keeps one safe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.database import Database
from tests.conftest import Engines, TestClock
from tests.keeping_safe.history import live
from tests.ledger.pair import Two, two_of
from tests.nodes import TestNode, make_node


@pytest.fixture
def node(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """A node with a past."""
    made = make_node(database, tmp_path, clock=clock)
    live(made)
    return made


@pytest.fixture
def two(
    database: Database, server_name: str, engines: Engines, tmp_path: Path, clock: TestClock
) -> Iterator[Two]:
    """A commune that joined a province, each in a database of its own."""
    with two_of(engines, server_name, tmp_path, database=database, clock=clock) as made:
        yield made


@pytest.fixture
def other_engine(engine: str, engines: Engines) -> Iterator[str]:
    """Where to restore on the engine that is not the node's: an empty PostgreSQL database, or '' for SQLite."""
    with ExitStack() as closing:
        if engine == "postgresql":
            yield ""
            return
        server = engines.server("postgresql")
        name = server.create()
        closing.callback(server.drop, name)
        yield server.url(name)
