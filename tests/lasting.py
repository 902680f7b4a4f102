"""Databases that last for a whole module of tests: for tests that ask one node many questions and change little."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.database import Database
from tests.conftest import Engines

ENGINES = ("sqlite", "postgresql")


@contextmanager
def lasting_database(engines: Engines, engine: str, directory: Path) -> Iterator[Database]:
    """A migrated, empty database of this engine, gone when the block ends."""
    template = engines.template(engine)
    with ExitStack() as closing:
        if engine == "sqlite":
            copy = directory / "lasting.db"
            shutil.copy(template, copy)
            url = f"sqlite:///{copy}"
        else:
            server = engines.server(engine)
            name = server.take(template)
            closing.callback(server.give_back, name, template)
            url = server.url(name)
        made = Database(url)
        closing.callback(made.close)
        yield made
