"""A node in this process, the line to it and a tablet enrolled there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.database import Database
from sync.client import Tablet
from tests.conftest import Engines, TestClock
from tests.lasting import ENGINES
from tests.nodes import TestNode, make_node
from tests.sync.devices import enrol
from tests.sync.network import HOME, Network
from tests.sync.world import Template, build_template


@pytest.fixture
def home(engines: Engines, tmp_path: Path, clock: TestClock) -> Iterator[TestNode]:
    """A node that is its own province; which database it keeps makes no difference to a tablet."""
    shutil.copy(engines.template("sqlite"), tmp_path / "node.db")
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    yield make_node(database, tmp_path, clock=clock)
    database.close()


@pytest.fixture
def network(home: TestNode) -> Network:
    """A line to that node."""
    return Network({HOME: home.app})


@pytest.fixture
def tablet(home: TestNode, network: Network, tmp_path: Path) -> Tablet:
    """A tablet enrolled at that node."""
    return enrol(home, network, tmp_path / "tablet")


@pytest.fixture(scope="session", params=ENGINES)
def template(
    request: pytest.FixtureRequest, engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Template]:
    """The province of each engine at rest, set up once: a World is a copy of it."""
    made = build_template(engines, request.param, tmp_path_factory.mktemp("province"))
    yield made
    made.bases.drop_since(0)
