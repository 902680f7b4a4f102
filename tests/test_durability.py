"""The server starts only on settings under which an acknowledged write survives a power cut."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from app.database import Database, NotDurable


@pytest.mark.every_server
def test_a_server_with_the_usual_settings_may_start(database: Database) -> None:
    database.assert_durable()


@pytest.mark.parametrize("pragma", ["synchronous=NORMAL", "synchronous=OFF", "journal_mode=MEMORY"])
def test_a_file_that_may_lose_acknowledged_writes_is_refused(tmp_path: Path, pragma: str) -> None:
    database = Database(f"sqlite:///{tmp_path / 'weak.db'}")
    sa.event.listen(
        database.engine, "connect", lambda connection, _record: connection.execute(f"PRAGMA {pragma}")
    )
    with pytest.raises(NotDurable, match="refuse de démarrer : " + pragma.partition("=")[0]):
        database.assert_durable()
    database.close()
