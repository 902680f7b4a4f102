"""The operator's schema: a program opens only a database it knows, and changes one only after a checked copy."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

import migrations
from app import cli
from app.database import Database
from app.settings import load, save
from app.upgrading import SchemaDiffers, upgrade_node
from tests.conftest import Engines, TestClock

Words = Sequence[str | Path]
Operator = Callable[[Words], tuple[int, str]]
OLDER = "2026_11_22_ledger"


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Types a command: its exit code and what it said."""

    def types(words: Words) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mboka", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out + captured.err

    return types


def older_node(data: Path, url: str = "") -> Database:
    """A folder whose database an older program left."""
    save(data, {"database_url": url})
    database = Database(load(data).url)
    migrations.upgrade(database, OLDER)
    return database


def test_the_older_revision_is_one_this_program_comes_from() -> None:
    known = [
        each.revision for each in ScriptDirectory.from_config(migrations.configuration()).walk_revisions()
    ]
    assert OLDER in known[1:]


def test_a_second_node_is_not_made_in_one_folder(
    tmp_path: Path, operator: Operator, engines: Engines
) -> None:
    init: Words = ["init", "--data", tmp_path / "n", "--kind", "commune", "--commune", "CD-KN-017"]
    assert operator(init)[0] == 0
    before = (tmp_path / "n" / "node.json").read_bytes()
    code, told = operator(init)
    assert (code, "Un nœud existe déjà" in told) == (1, True)
    assert (tmp_path / "n" / "node.json").read_bytes() == before
    code, told = operator(["status", "--data", tmp_path / "n", "--json"])
    assert code == 0
    status = json.loads(told)
    assert (status["kind"], status["commune"], status["schema"]) == (
        "commune",
        "CD-KN-017",
        migrations.head(),
    )
    code, told = operator(["upgrade", "--data", tmp_path / "n"])
    assert (code, "déjà à jour" in told) == (0, True)
    assert not list((tmp_path / "n").glob("before-upgrade-*"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "exemple.cd"])
def test_nothing_is_served_in_the_clear_beyond_this_machine(
    tmp_path: Path, operator: Operator, host: str
) -> None:
    code, told = operator(["serve", "--data", tmp_path, "--host", host])
    assert (code, "--tls-cert" in told) == (1, True)
    half: Words = ["serve", "--data", tmp_path, "--host", host, "--tls-cert", tmp_path / "cert.pem"]
    assert operator(half)[0] == 1


def test_a_folder_without_a_node_says_how_one_is_made(tmp_path: Path, operator: Operator) -> None:
    code, told = operator(["status", "--data", tmp_path])
    assert (code, f"mboka init --data {tmp_path}" in told.replace("\n", "")) == (1, True)


def test_an_older_database_is_not_opened_but_the_command_that_helps_is_named(
    tmp_path: Path, operator: Operator
) -> None:
    older_node(tmp_path).close()
    for command in (["status"], ["serve"], ["officer", "list"]):
        code, told = operator([*command, "--data", tmp_path])
        assert (code, f"mboka upgrade --data {tmp_path}" in told.replace("\n", "")) == (1, True), told


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path, operator: Operator) -> None:
    database = older_node(tmp_path)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '2031_01_01_later'"))
    database.close()
    for command in ("status", "upgrade"):
        code, told = operator([command, "--data", tmp_path])
        assert (code, "plus récent que ce programme" in told) == (1, True), told
    assert not list(tmp_path.glob("before-upgrade-*"))


def test_an_upgrade_keeps_a_checked_copy_of_what_was_there(tmp_path: Path, operator: Operator) -> None:
    database = older_node(tmp_path)
    with database.write() as connection:
        connection.execute(sa.text("INSERT INTO area (code, seq) VALUES ('ref', 12)"))
    database.close()
    code, told = operator(["upgrade", "--data", tmp_path])
    assert code == 0, told
    [copy] = tmp_path.glob("before-upgrade-*.db")
    assert copy.name in told.replace("\n", "")
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == (OLDER,)
        assert kept.execute("SELECT code, seq FROM area").fetchall() == [("ref", 12)]
    upgraded = Database(load(tmp_path).url)
    assert migrations.current(upgraded) == migrations.head()
    with upgraded.read() as connection:
        areas: dict[str, int] = dict(connection.execute(sa.text("SELECT code, seq FROM area")).all())
    upgraded.close()
    assert areas["ref"] == 12
    assert len(areas) > 300


def test_without_a_copy_nothing_is_changed(tmp_path: Path, clock: TestClock) -> None:
    database = older_node(tmp_path)
    with pytest.raises(SchemaDiffers, match="rien n'a été changé"):
        upgrade_node(load(tmp_path), tmp_path / "disque absent", clock=clock, copy_made=False)
    assert migrations.current(database) == OLDER
    database.close()


def test_after_an_upgrade_that_died_the_next_one_makes_a_copy_of_its_own(
    tmp_path: Path, clock: TestClock
) -> None:
    older_node(tmp_path).close()
    left = tmp_path / "before-upgrade-20260202T090000.db"
    left.write_bytes(b"half a copy")
    told = upgrade_node(load(tmp_path), tmp_path, clock=clock, copy_made=False)
    assert "before-upgrade-20260202T090000-2.db" in told
    assert left.read_bytes() == b"half a copy"


def test_on_postgresql_the_operator_says_that_the_copy_is_made(
    tmp_path: Path, engines: Engines, operator: Operator
) -> None:
    server = engines.server("postgresql")
    name = server.create()
    older_node(tmp_path, server.url(name)).close()
    code, told = operator(["upgrade", "--data", tmp_path])
    assert (code, "--copy-made" in told) == (1, True)
    code, told = operator(["upgrade", "--data", tmp_path, "--copy-made"])
    assert (code, migrations.head() in told) == (0, True), told
    server.drop(name)


def test_a_node_may_be_moved_with_its_folder(tmp_path: Path, operator: Operator) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    operator(["init", "--data", one, "--kind", "both", "--commune", "CD-KN-017"])
    shutil.move(one, two)
    assert operator(["status", "--data", two])[0] == 0
