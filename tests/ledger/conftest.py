"""Nodes for the ledger's tests: one of its own for a test that counts, one that lasts for tests that ask little."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.database import Database
from tests.conftest import Engines, TestClock
from tests.lasting import ENGINES, lasting_database
from tests.ledger.pair import Two, two_of
from tests.nodes import TestNode, make_node


@pytest.fixture
def node(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """A node of its own, empty; `clock` moves its clock."""
    return make_node(database, tmp_path, clock=clock)


@pytest.fixture
def two(
    database: Database, server_name: str, engines: Engines, tmp_path: Path, clock: TestClock
) -> Iterator[Two]:
    """A commune that joined a province, each in a database of its own."""
    with two_of(engines, server_name, tmp_path, database=database, clock=clock) as made:
        yield made


@pytest.fixture(scope="module", params=ENGINES)
def lasting(
    request: pytest.FixtureRequest, engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestNode]:
    """One node for a whole module: its tests know only what they wrote themselves."""
    home = tmp_path_factory.mktemp("lasting")
    with lasting_database(engines, request.param, home) as database:
        yield make_node(database, home, clock=TestClock(datetime(2026, 2, 2, 9, 0, tzinfo=UTC)))


@pytest.fixture(scope="module")
def agent(lasting: TestNode) -> str:
    """An agent of the lasting node whose tablets the tests enrol."""
    return lasting.add_officer("agent")[0]
