"""Every checker of the state machine catches the bug it is there for: the same afternoon, once with a sound server
and once with one broken on purpose. (A plain sequence in the feed: tests/ledger; weak durability: tests/faults.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.ledger import keeping
from app.ledger.door import Door
from app.ledger.feed import Feed
from app.ledger.tables import batch, quarantine
from app.ledger.writing import Writing
from sync import merge
from tests.sync import invariants
from tests.sync.invariants import Check, wrong
from tests.sync.scenario import play
from tests.sync.world import KINTAMBO, PROVINCE, Template, World

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def world(template: Template, tmp_path: Path) -> Iterator[World]:
    made = World(template, tmp_path)
    yield made
    made.close()


def deduplication_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated batch is taken for a new one."""

    def keep(connection: sa.Connection, envelope: keeping.Envelope, **given: Any) -> None:
        connection.execute(batch.delete().where(batch.c.sha256 == envelope.sha256))
        kept(connection, envelope, **given)

    kept = keeping.keep_batch
    monkeypatch.setattr(keeping, "keep_batch", keep)
    monkeypatch.setattr(keeping, "held_batch", lambda _connection, _sha256: (False, None))


def receipt_before_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt leaves, then the transaction fails."""

    def accept(door: Door, data: bytes, signature: str, *, grant: str | None = None) -> keeping.Receipt:
        with door.database.engine.connect() as connection, connection.begin() as transaction:
            envelope = door.verify(connection, data, signature, grant=grant)
            receipt = door._take(connection, envelope, door._read(envelope))
            transaction.rollback()
        return receipt

    monkeypatch.setattr(Door, "accept", accept)


def last_writer_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later operation takes the place of what others wrote unseen."""

    def add(registers: merge.Registers, writes: dict[str, merge.Write]) -> set[str]:
        registers.update({name: [write] for name, write in writes.items()})
        return set(writes)

    monkeypatch.setattr(merge, "add", add)


def row_without_the_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row shows one of several values and is silent about the others."""
    monkeypatch.setattr(Feed, "_tell_conflicts", lambda *_given: None)
    monkeypatch.setattr(Feed, "_tell_dots", lambda *_given: None)


def feed_numbers_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed row keeps the number under which tablets have read it already."""

    def row(writing: Writing, entry: Any, numbers: Any) -> Any:
        made = list(changed(writing, entry, numbers))
        if entry.before is not None and len(made) > 0:
            made[entry.shape.order.index("seq")] = entry.before["seq"]
        return tuple(made)

    changed = Writing._changed_row
    monkeypatch.setattr(Writing, "_changed_row", row)


def a_figure_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an edited row counted for before is not taken back."""

    def count(writing: Writing, kind: str, entry: Any) -> None:
        for name, key, number in writing.registry.cells(kind, entry.clean, entry.area):
            writing._cells[name][key] += number

    monkeypatch.setattr(Writing, "_count", count)


PLANTED: list[tuple[Plant, Check]] = [
    (deduplication_is_off, invariants.idempotence),
    (receipt_before_commit, invariants.no_loss),
    (receipt_before_commit, invariants.settled_is_received),
    (last_writer_wins, invariants.nothing_overwritten),
    (last_writer_wins, invariants.conflicts_are_complete),
    (row_without_the_other_values, invariants.nothing_overwritten),
    (feed_numbers_stand_still, invariants.feed_is_sound),
    (a_figure_counts_twice, invariants.figures_conserve),
]


def test_a_sound_province_passes_every_check(world: World) -> None:
    play(world)
    assert wrong(world) == []


@pytest.mark.parametrize(("plant", "check"), PLANTED, ids=lambda each: each.__name__)
def test_a_planted_bug_is_caught(
    world: World, monkeypatch: pytest.MonkeyPatch, *, plant: Plant, check: Check
) -> None:
    plant(monkeypatch)
    play(world)
    assert wrong(world, check)


def test_a_waiting_list_that_forgets_is_caught(world: World) -> None:
    play(world)
    unheard = f"{world.tablets['a'].dev}:7:999"
    world.enter(
        "b",
        {
            "kind": "person",
            "id": world.entities("b", "person")[0],
            "set": {"phone": "3"},
            "par": {"phone": [unheard]},
        },
    )
    world.settle()
    assert wrong(world, invariants.waiting_is_listed) == []
    with world.nodes[PROVINCE].database.write() as connection:
        connection.exec_driver_sql("DELETE FROM waiting")
    assert wrong(world, invariants.waiting_is_listed)


def test_a_row_shown_in_the_wrong_place_is_caught(world: World) -> None:
    play(world)
    tablet = world.tablets["b"]
    strange = tablet.store.row("household", world.entities("b", "household")[0])
    assert strange is not None
    store: Any = tablet.store
    store._db.execute("UPDATE row SET line = replace(line, '1017010', '1008010'), area = '1008010'")
    assert wrong(world, invariants.areas_are_kept)


def test_a_province_that_differs_from_its_commune_is_caught(world: World) -> None:
    play(world)
    with world.nodes[KINTAMBO].database.write() as connection:
        connection.exec_driver_sql("UPDATE person SET nom = 'Ilunga'")
        connection.execute(quarantine.delete())
    assert wrong(world, invariants.convergence)
