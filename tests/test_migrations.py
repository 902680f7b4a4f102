"""The migrations build exactly the tables the code declares, on both engines, in one line of revisions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from app.database import Database

REVISIONS = list(ScriptDirectory.from_config(migrations.configuration()).walk_revisions())[::-1]


@pytest.fixture
def empty(fresh_database_url: Callable[[], str | None], tmp_path: Path) -> Database:
    """A database in which nothing has been done yet."""
    return Database(fresh_database_url() or f"sqlite:///{tmp_path / 'empty.db'}")


@pytest.mark.every_server
def test_migrated_tables_are_the_declared_ones(database: Database) -> None:
    declared = migrations.metadata()
    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "render_as_batch": True}
        )
        assert compare_metadata(context, declared) == []
    assert migrations.current(database) == migrations.head()


@pytest.mark.every_server
def test_each_migration_applies_after_the_one_before(empty: Database) -> None:
    assert migrations.current(empty) is None
    for step in REVISIONS:
        migrations.upgrade(empty, step.revision)
        assert migrations.current(empty) == step.revision
    migrations.upgrade(empty)
    assert migrations.current(empty) == migrations.head()
    empty.close()


def test_values_doubted_before_doubtful_fields_had_names_are_named(empty: Database) -> None:
    migrations.upgrade(empty, "2026_11_25_repair")
    kept = {"known": '{"sex":"X","line":0,"hobby":"échecs"}', "newer": '{"hobby":"échecs"}', "clean": None}
    ids = {name: f"7b0c5a52-8d0e-4c63-9a3b-0a2f5d1c9e4{at}" for at, name in enumerate(kept)}
    person = sa.table("person", *map(sa.column, ("id", "extra", "origin", "n", "area", "seq", "rev")))
    rows = [{"id": ids[name], "extra": extra} for name, extra in kept.items()]
    with empty.write() as connection:
        connection.execute(person.insert().values(origin=1, n=1, area=1, seq=1, rev=1), rows)
    migrations.upgrade(empty)
    with empty.read() as connection:
        found = connection.exec_driver_sql("SELECT id, doubtful FROM person").all()
    assert {str(row[0]): row[1] for row in found} == {
        ids["known"]: " line sex ", ids["newer"]: None, ids["clean"]: None,
    }  # fmt: skip
    empty.close()


def test_the_migrations_form_one_line_with_dated_names() -> None:
    assert REVISIONS, "no migration builds the schema"
    assert [step.down_revision for step in REVISIONS] == [None, *(step.revision for step in REVISIONS[:-1])]
    names = [Path(step.path).name for step in REVISIONS]
    assert [name for name in names if not re.fullmatch(r"m20\d{6}_\w+\.py", name)] == []
    assert [name[1:9] for name in names] == sorted(name[1:9] for name in names)


def test_the_developers_command_builds_the_same_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'developer.db'}"
    alembic = [sys.executable, "-m", "alembic", "-x", f"url={url}"]
    root = Path(migrations.__file__).parent.parent
    for verb in (["upgrade", "head"], ["check"]):
        done = subprocess.run([*alembic, *verb], cwd=root, env=os.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_migration_that_leaves_dangling_rows_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'mboka.db'}")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE commune (code TEXT PRIMARY KEY)")
        connection.exec_driver_sql("CREATE TABLE quartier (commune TEXT REFERENCES commune(code))")
        connection.exec_driver_sql("INSERT INTO commune VALUES ('CD-KN-017')")
        connection.exec_driver_sql("INSERT INTO quartier VALUES ('CD-KN-017')")

    def careless(config: Config, _revision: str) -> None:
        config.attributes["connection"].exec_driver_sql("DELETE FROM commune")

    monkeypatch.setattr(command, "upgrade", careless)
    with pytest.raises(migrations.BrokenReference, match="quartier → commune"):
        migrations.upgrade(database)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM commune").scalar_one() == 1
    with database.write() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.exec_driver_sql("DELETE FROM commune")
    database.close()
