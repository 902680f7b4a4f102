"""A server that was restored from a copy says so, and its clock never goes back."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from app.database import Database
from app.errors import Problem
from app.ledger.node import IDENTITY, Identity, SteadyClock, read_standing, reconcile_identity
from app.ledger.setup import make_node_rows
from app.ledger.tables import node as node_table
from app.ledger.tables import origin
from app.node import Node
from app.settings import Settings
from sync.protocol import Unreadable
from tests.conftest import TestClock
from tests.nodes import TestNode, household_of, make_node, new

QUARTIER = "1017010"


def home_of(node: TestNode) -> Path:
    return Path(node.node.settings.data)


def restart(node: TestNode) -> Node:
    return Node.open(node.node.settings, database=node.database, clock=node.node.clock)


def test_a_server_that_is_only_restarted_stays_who_it_was(node: TestNode) -> None:
    before = node.door.identity
    after = restart(node).door.identity
    assert (after.dev, after.ep, after.feed) == (before.dev, before.ep, before.feed)
    assert after.key.public.jwk() == before.key.public.jwk()


@pytest.mark.parametrize("changed", ["ep", "feed"])
def test_a_restored_database_gets_a_new_epoch_and_a_new_feed_once(node: TestNode, changed: str) -> None:
    before = node.door.identity
    old = {"ep": 5, "feed": "5b0f3a3c-6f0e-4f7e-8f63-2a9d5a2b7c11"}[changed]
    with node.database.write() as connection:
        connection.execute(node_table.update().values({changed: old}))
    after = restart(node).door.identity
    assert after.dev == before.dev
    assert after.ep not in {before.ep, old}
    assert after.feed not in {before.feed, old}
    assert Identity.read(home_of(node)).ep == after.ep
    again = restart(node).door.identity
    assert (again.ep, again.feed) == (after.ep, after.feed)


def test_a_restored_identity_file_gets_a_new_epoch_too(node: TestNode) -> None:
    path = home_of(node) / IDENTITY
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"ep": 1}))
    after = reconcile_identity(node.database, home_of(node))
    assert after.ep not in {1, stored["ep"]}
    with node.database.read() as connection:
        row = connection.execute(node_table.select()).mappings().one()
    assert (row["ep"], row["feed"]) == (after.ep, after.feed)


def test_after_a_restore_the_servers_own_operations_begin_a_new_count(node: TestNode) -> None:
    with node.database.write() as connection:
        node.door.write(connection, [new("person", {"nom": "Mbuyi"})], by="x")
        connection.execute(node_table.update().values(ep=5))
    door = restart(node).door
    with node.database.write() as connection:
        door.write(connection, [new("person", {"nom": "Kapinga"})], by="x")
    query = {f"{door.identity.dev}:{door.identity.ep}"}
    with node.database.read() as connection:
        rows = connection.execute(origin.select()).mappings().all()
    assert [row["ranges"] for row in rows if f"{row['dev']}:{row['ep']}" in query] == ["[[1,1]]"]


def test_the_key_of_another_server_does_not_open_this_database(node: TestNode) -> None:
    Identity.draw().write(home_of(node))
    with pytest.raises(Problem) as refused:
        reconcile_identity(node.database, home_of(node))
    assert refused.value.type.code == "node_differs"


def test_the_key_is_readable_by_nobody_else(node: TestNode) -> None:
    assert os.stat(home_of(node) / IDENTITY).st_mode & 0o077 == 0


def test_the_clock_of_a_server_never_goes_back(node: TestNode, clock: TestClock) -> None:
    tablet = node.tablet(QUARTIER)
    first = node.push(tablet, *household_of(1))["received_at"]
    clock.forward(timedelta(hours=-30))
    assert node.push(tablet, *household_of(1))["received_at"] == first
    door = restart(node).door
    assert door.clock.behind() == 30 * 3600
    data, signature = tablet.seal(household_of(1))
    assert json.loads(door.accept(data, signature).text)["received_at"] == first
    clock.forward(timedelta(hours=31))
    assert door.clock.behind() == 0
    assert json.loads(door.accept(*tablet.seal(household_of(1))).text)["received_at"] > first


def test_a_server_without_a_batch_has_no_time_to_keep_to(
    database: Database, tmp_path: Path, clock: TestClock
) -> None:
    make_node(database, tmp_path, clock=clock)
    with database.read() as connection:
        steady = SteadyClock(clock, connection)
    assert steady.behind() == 0
    assert steady.received_at() == "2026-02-02T09:00:00.000Z"


def test_a_second_server_is_not_made_in_one_database(
    node: TestNode, tmp_path: Path, clock: TestClock
) -> None:
    with pytest.raises(Problem) as refused:
        make_node_rows(node.database, tmp_path, kind="both", commune="CD-KN-017", demo=False, clock=clock)
    assert refused.value.type.code == "node_exists"
    assert not (tmp_path / IDENTITY).exists()


@pytest.mark.parametrize(
    ("kind", "commune", "code"),
    [("commune", None, "node_commune_required"), ("commune", "CD-KN-099", "commune_unknown")],
)
def test_a_server_of_a_commune_needs_one_that_exists(
    database: Database, tmp_path: Path, clock: TestClock, kind: str, commune: str | None, code: str
) -> None:
    with pytest.raises(Problem) as refused:
        make_node_rows(database, tmp_path, kind=kind, commune=commune, demo=False, clock=clock)
    assert refused.value.type.code == code


def test_kinds_that_certify_themselves_do_and_a_commune_waits_for_the_province(
    database: Database, tmp_path: Path, clock: TestClock
) -> None:
    identity = make_node_rows(database, tmp_path, kind="province", commune=None, demo=True, clock=clock)
    with database.read() as connection:
        standing = read_standing(connection)
    assert (standing.province, standing.demo, standing.role) == (
        identity.key.public.thumbprint(),
        True,
        "province",
    )
    assert Settings(data=tmp_path).url.endswith("mboka.db")


def test_a_write_of_nothing_writes_nothing_and_an_impossible_one_is_told(node: TestNode) -> None:
    with node.database.write() as connection:
        assert node.door.write(connection, [], by="x") == {}
    for impossible in (
        {"nom": "\ud800"},
        {"nom": "a\0b"},
        {"nom": "x" * 70_000},
        {"line": 2**60},
        {"nom": object()},
    ):
        with pytest.raises(Unreadable), node.database.write() as connection:
            node.door.write(connection, [new("person", impossible)], by="x")
