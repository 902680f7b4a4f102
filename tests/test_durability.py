"""The server starts only on settings under which an acknowledged write survives a power cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.database import Database, NotDurable
from tests import postgres
from tests.conftest import Engines


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database at `url`, closed afterwards."""
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


@pytest.fixture(scope="module")
def careless_server() -> Iterator[postgres.Server]:
    """A PostgreSQL of its own whose settings a test may spoil."""
    server = postgres.start(postgres.packaged())
    yield server
    server.close()


@pytest.mark.every_server
def test_a_server_on_the_usual_settings_starts(database: Database) -> None:
    database.assert_durable()


@pytest.mark.parametrize("pragma", ["synchronous=NORMAL", "synchronous=OFF", "journal_mode=MEMORY"])
def test_a_file_that_may_lose_acknowledged_writes_is_refused(tmp_path: Path, pragma: str) -> None:
    with opened(f"sqlite:///{tmp_path / 'weak.db'}") as database:
        sa.event.listen(database.engine, "connect", lambda raw, _record: raw.execute(f"PRAGMA {pragma}"))
        with pytest.raises(NotDurable, match="refuse de démarrer : " + pragma.partition("=")[0]):
            database.assert_durable()


def test_a_database_that_acknowledges_before_it_writes_is_refused(engines: Engines) -> None:
    server = engines.server("postgresql")
    name = server.create()
    server.set(name, {"synchronous_commit": "off"})
    with opened(server.url(name)) as database, pytest.raises(NotDurable) as refusal:
        database.assert_durable()
    assert "synchronous_commit vaut « off » au lieu de « on »" in str(refusal.value)
    assert "une coupure de courant pourrait effacer des données déjà confirmées" in str(refusal.value)
    server.drop(name)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_does_not_write_through_is_refused(
    careless_server: postgres.Server, setting: str
) -> None:
    careless_server.configure(setting, "off")
    refused = pytest.raises(NotDurable, match=f"refuse de démarrer : {setting} vaut « off »")
    with opened(careless_server.url("postgres")) as database, refused:
        database.assert_durable()
    careless_server.configure(setting, "on")
    with opened(careless_server.url("postgres")) as database:
        database.assert_durable()
