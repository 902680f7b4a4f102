"""Registers made again from the signed batches are those the door made, whatever had happened to them meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import migrations
from app import serving
from app.database import Database
from app.keeping_safe.rebuild import Rebuilt, derived_tables, rebuild
from app.ledger.node import Identity
from app.ledger.tables import conflict, fork, quarantine
from app.node import Node
from app.serving import AlreadyServing
from app.settings import Settings
from tests.keeping_safe.history import folder, live, tables_of, write_acts
from tests.ledger import state
from tests.ledger.pair import Two
from tests.ledger.test_operations import at_province
from tests.nodes import TestNode, household_of, stranger

KINDS = ("household", "person", "visit", "act", "device")
# What people, machines and the law were told: a rebuild reads it and leaves it as it is.
KEPT = {
    *("batch", "admitted", "area", "device_contact", "device_session", "invitation", "used_nonce"),
    *("brought_answer", "brought_batch", "upstream_position"),
    # A rebuild gives every row a new place in the feed, so the index of duplicates is swept anew behind it.
    *("match_key", "match_candidate", "match_mark"),
    *("takeover_file", "takeover_fault", "takeover_keying", "takeover_keyed_line"),
    *("officer", "officer_session", "read_journal", "idempotency"),
    *("officer_factor", "officer_recovery", "officer_event"),
    *("commune", "quartier", "quartier_alias", "office", "territory_version"),
}
# Kept, but for the operation numbers held and the name of the feed.
PARTLY = {"origin", "node"}


def told(node: TestNode) -> dict[str, Any]:
    """All that is derived, without what a rebuild may choose anew."""
    with node.database.read() as connection:
        aside = connection.execute(
            sa.select(
                quarantine.c.dev, quarantine.c.n, quarantine.c.reason, quarantine.c.line, quarantine.c.at
            )
        ).all()
        opened = connection.execute(sa.select(conflict)).all()
        forks = connection.execute(sa.select(fork)).all()
    return {
        "rows": state.rows(node, *KINDS),
        "rollups": state.rollups(node),
        "waiting": state.waits(node),
        "conflicts": sorted(map(tuple, opened)),
        "forks": sorted(map(tuple, forks)),
        "quarantine": sorted(map(tuple, aside), key=str),
    }


def rebuilt(node: TestNode) -> Rebuilt:
    """Rebuild as the command does, in a process that starts anew; the node goes on under its new feed."""
    url = node.database.url.render_as_string(hide_password=False)
    opened = Node.open(Settings(data=folder(node), database_url=url))
    try:
        return rebuild(opened, told=lambda done, total: None)
    finally:
        opened.database.close()


def test_the_history_has_something_of_everything(node: TestNode) -> None:
    found = told(node)
    assert all(found[name] for name in found)
    assert len(found["quarantine"]) == 3
    assert ("act", "number_key") in {(kind, register) for kind, _, register, *_ in found["conflicts"]}


def test_a_rebuild_finds_the_same_registers_again_and_keeps_the_rest(node: TestNode) -> None:
    unknown = stranger(node)
    node.door.accept(*unknown.seal(household_of(2)), grant=unknown.grant)
    before, kept, old = told(node), tables_of(node.database), Identity.read(folder(node))
    done = rebuilt(node)
    assert done.differences == []
    assert told(node) == before
    after = tables_of(node.database)
    derived = {str(table.name) for table in derived_tables(node.door.registry)}
    untouched = {n: c for n, c in kept.items() if n not in derived | PARTLY | {"area"}}
    assert untouched == {n: c for n, c in after.items() if n in untouched}
    assert after["origin"] == kept["origin"]
    new = Identity.read(folder(node))
    assert (new.dev, new.ep, new.feed) == (old.dev, old.ep, done.feed)
    assert new.feed != old.feed


def test_what_somebody_broke_in_the_registers_is_made_good_and_named(node: TestNode) -> None:
    before = told(node)
    with node.database.write() as connection:
        for statement in (
            "UPDATE person SET nom = 'Autre', registers = NULL",
            "DELETE FROM visit",
            "UPDATE census_cell SET count = count + 7",
            "DELETE FROM conflict",
            "DELETE FROM waiting",
            "DELETE FROM fork",
            "UPDATE origin SET ranges = '[]'",
        ):
            connection.exec_driver_sql(statement)
    done = rebuilt(node)
    assert {each.partition(" ")[0] for each in done.differences} >= {"person", "visit", "census_cell", "fork"}
    assert told(node) == before
    assert rebuilt(node).differences == []


def test_acts_are_as_final_after_a_rebuild_as_before(node: TestNode) -> None:
    guards = guards_of(node.database)
    assert guards
    rebuilt(node)
    assert guards_of(node.database) == guards
    for statement in ("DELETE FROM act", "UPDATE act SET nom = 'Autre'", "DELETE FROM read_journal"):
        with pytest.raises(sa.exc.DatabaseError), node.database.write() as connection:
            connection.exec_driver_sql(statement)


def guards_of(database: Database) -> list[tuple[Any, ...]]:
    """Every trigger with what it does, and on PostgreSQL whether it is enabled."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
    if not database.is_sqlite:
        query = (
            "SELECT tgname, tgenabled::text, pg_get_triggerdef(oid) FROM pg_trigger "
            "WHERE NOT tgisinternal ORDER BY tgname"
        )
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_a_rebuild_that_is_cut_leaves_everything_as_it_was(node: TestNode) -> None:
    before, guards, identity = tables_of(node.database), guards_of(node.database), Identity.read(folder(node))
    url = node.database.url.render_as_string(hide_password=False)
    opened = Node.open(Settings(data=folder(node), database_url=url))

    class PowerCutError(Exception):
        pass

    def cut(done: int, total: int) -> None:
        if done > total // 2:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        rebuild(opened, told=cut)
    opened.database.close()
    assert (tables_of(node.database), guards_of(node.database)) == (before, guards)
    assert Identity.read(folder(node)).feed == identity.feed


def test_a_node_goes_on_working_after_a_rebuild(node: TestNode) -> None:
    rebuilt(node)
    live(node)
    write_acts(node)
    before = told(node)
    assert rebuilt(node).differences == []
    assert told(node) == before


def test_what_the_province_brought_is_folded_again_in_its_turn(two: Two) -> None:
    commune = two.commune
    tablet, other = commune.tablet("1017010"), commune.tablet("1017010")
    family = household_of(2)
    commune.push(tablet, *family)
    two.exchange()
    clone = tablet.clone()
    change = {"kind": "person", "id": family[1]["id"], "set": {"nom": "Ilunga"}}
    direct = [at_province(two, other, change), at_province(two, clone, *household_of(1))]
    commune.push(tablet, *household_of(2))
    two.exchange()
    commune.push_sealed(*direct[0])
    two.exchange()
    before, kept = told(commune), tables_of(commune.database)
    assert kept["brought"].rows > 0
    assert before["forks"]
    assert before["conflicts"]
    assert rebuilt(commune).differences == []
    assert told(commune) == before
    after = tables_of(commune.database)
    assert (after["origin"], after["brought_answer"]) == (kept["origin"], kept["brought_answer"])


def test_every_table_is_either_made_again_or_kept(node: TestNode) -> None:
    derived = {str(table.name) for table in derived_tables(node.door.registry)}
    assert derived | KEPT | PARTLY == {str(table.name) for table in migrations.metadata().sorted_tables}
    assert not derived & (KEPT | PARTLY)


def test_a_folder_that_is_served_is_not_rebuilt(tmp_path: Path) -> None:
    with serving.alone(tmp_path), pytest.raises(AlreadyServing, match="arrêtez-le"), serving.alone(tmp_path):
        pass
    with serving.alone(tmp_path):
        pass
