"""The servers of the journeys: started once per engine, stopped afterwards. Owns no assertion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .nodes import Server, World, free_port, join

if TYPE_CHECKING:
    from tests.conftest import Engines

NodeFactory = Callable[[str, str], Server]


@pytest.fixture(scope="session")
def node_factory(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeFactory]:
    """`node_factory(kind, engine)`: a node set up on its own database, not serving yet, stopped at the end."""
    with ExitStack() as stack:

        def make(kind: str, engine: str) -> Server:
            url = None
            if engine != "sqlite":
                server = engines.server(engine)
                name = server.create()
                stack.callback(server.drop, name)
                url = server.url(name)
            directory: Path = tmp_path_factory.mktemp(kind) / "data"
            node = Server(kind, directory, f"http://127.0.0.1:{free_port()}")
            stack.callback(node.stop)
            node.init(url)
            return node

        yield make


@pytest.fixture(scope="session")
def worlds(node_factory: NodeFactory) -> Iterator[Callable[[str], World]]:
    """`worlds(engine)`: a province and Kintambo joined to it, both serving over HTTP on loopback, once per engine."""
    with ExitStack() as closing:

        @cache
        def make(engine: str) -> World:
            province, commune = (node_factory(kind, engine) for kind in ("province", "commune"))
            join(province, commune)
            closing.callback(province.stop)
            closing.callback(commune.stop)
            return World(province, commune, closing)

        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> World:
    """The world of each engine, shared by every file: a journey trusts nothing but what it wrote itself."""
    return worlds(request.param)
