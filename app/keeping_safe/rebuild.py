"""`mboka rebuild`: registers, figures, cases and what waits are made again from the signed batches, by the door's own
fold, in one transaction. What people and machines were told (batches, receipts, accounts, journal) is not touched."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.errors import problem
from app.keeping_safe.contents import Counted, tally_of
from app.ledger import bulk
from app.ledger.bringing import fold_answer_again
from app.ledger.keeping import Envelope
from app.ledger.lines import decompress
from app.ledger.node import Marks
from app.ledger.projection import Registry
from app.ledger.senders import Sender, senders_of
from app.ledger.tables import (
    batch,
    brought,
    brought_answer,
    conflict,
    departure,
    fork,
    merging,
    node,
    origin,
    other,
    quarantine,
    unmerged,
    waiting,
)
from app.node import Node

# Lists the fold keeps beside the registers and the figures.
LISTS = (conflict, waiting, fork, quarantine, departure, merging, unmerged, brought)
# Columns that say where a row stands in the feed, or in which order a list was written: a rebuild gives new ones.
POSITIONS = {"seq", "rev"}
BATCHES_AT_ONCE = 100
# PostgreSQL's planner is told again when the tables have grown by this factor.
GROWTH = 8
SENDER_UNKNOWN = problem(
    "rebuild_sender_unknown",
    409,
    "L'autorisation d'un appareil manque",
    "Rien n'a été changé. Restaurez la dernière sauvegarde, et envoyez ce message à ceux qui font le programme.",
)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did; `differences` names the tables whose rows are others than before."""

    batches: int
    operations: int
    feed: str
    differences: list[str]


def derived_tables(registry: Registry) -> list[sa.Table]:
    """Every table a rebuild makes again: registers, rollups and lists."""
    registers = {shape.table.name: shape.table for shape in registry.shapes.values()}
    return [*(registers | {other.name: other}).values(), *registry.rollups.values(), *LISTS]


def rebuild(opened: Node, *, told: Callable[[int, int], None]) -> Rebuilt:
    """Make everything derived again in one transaction: a crash leaves the old state. The folder must be held
    (app.serving.alone). `told(done, total)` counts operations. Raises `rebuild_sender_unknown`."""
    door = opened.door
    tables = derived_tables(door.registry)
    identity = replace(door.identity, feed=str(uuid.uuid4()))
    with opened.database.write() as connection:
        bulk.lock_door(connection)
        before = {table.name: _state(connection, table) for table in tables}
        senders = _senders(opened, connection)
        _empty(connection, tables)
        connection.execute(origin.update().values(ranges="[]", brought=None))
        batches, operations = _fold_all(opened, connection, senders=senders, tables=tables, told=told)
        connection.execute(node.update().values(feed=identity.feed))
        after = {table.name: _state(connection, table) for table in tables}
        # As at a start: where the file says another feed than the database, both are drawn anew.
        identity.write(Path(opened.settings.data), Marks.of(connection))
    differences = [
        f"{name} : {_told(before[name], after[name])}" for name in before if before[name] != after[name]
    ]
    return Rebuilt(batches, operations, identity.feed, differences)


def _told(before: Counted, after: Counted) -> str:
    if before.rows != after.rows:
        return f"{before.rows} lignes avant, {after.rows} après"
    return f"{after.rows} lignes, d'autres valeurs"


def _state(connection: sa.Connection, table: sa.Table) -> Counted:
    """The rows of a derived table but for positions; cells that count nothing and departures are none."""
    if table is departure:
        return Counted(0, "")
    numbered = {"id"} if table in (waiting, quarantine, brought) else set()
    columns = [str(c.name) for c in table.columns if c.name not in POSITIONS | numbered]
    keys = set(table.primary_key.columns.keys())
    counts = [c for c in table.columns if c.name not in keys]
    empty = f'"{counts[0].name}" = 0' if len(counts) == 1 and table not in LISTS else None
    return tally_of(connection, str(table.name), columns=columns, but=empty)


def _senders(opened: Node, connection: sa.Connection) -> dict[str, Sender]:
    """Who signed, as their grants say: asked before the register of devices is emptied."""
    door = opened.door
    devs = set(connection.execute(sa.select(batch.c.dev).distinct()).scalars())
    found = senders_of(connection, devs, standing=door.standing) | {door.identity.dev: door.own_sender()}
    if missing := sorted(devs - found.keys()):
        raise SENDER_UNKNOWN(f"Appareil {missing[0]}.")
    return found


def _fold_all(
    opened: Node,
    connection: sa.Connection,
    *,
    senders: dict[str, Sender],
    tables: list[sa.Table],
    told: Callable[[int, int], None],
) -> tuple[int, int]:
    spans = sa.func.coalesce(sa.func.sum(batch.c.to_n - batch.c.from_n + 1), 0)
    total = int(connection.execute(sa.select(spans)).scalar_one())
    batches = operations = 0
    analyse = GROWTH
    answers = _answers(connection)
    for row in _stored(connection):
        operations += sum(fold_answer_again(connection, opened.door, each) for each in answers(row.id))
        envelope = Envelope(senders[row.dev], decompress(row.content), row.signature, row.sha256)
        operations += opened.door.fold_again(connection, envelope, number=row.id, at=row.received_at)
        batches += 1
        told(operations, total)
        if batches == analyse and bulk.is_postgresql(connection):
            connection.exec_driver_sql(f"ANALYZE {', '.join(_quoted(tables))}")
            analyse *= GROWTH
    operations += sum(fold_answer_again(connection, opened.door, each) for each in answers(None))
    return batches, operations


def _answers(connection: sa.Connection) -> Callable[[int | None], Iterator[sa.Row[Any]]]:
    """What the province brought, in order: a call gives the answers folded before a batch (None: all that are left)."""
    columns = (brought_answer.c.id, brought_answer.c.after_batch)
    left = deque(connection.execute(sa.select(*columns).order_by(brought_answer.c.id)).all())

    def before(number: int | None) -> Iterator[sa.Row[Any]]:
        while left and (number is None or left[0].after_batch < number):
            query = sa.select(brought_answer).where(brought_answer.c.id == left.popleft().id)
            yield connection.execute(query).one()

    return before


def _stored(connection: sa.Connection) -> Iterator[Any]:
    """All batches in the order in which they came, a hundred in memory."""
    columns = (
        batch.c.id,
        batch.c.dev,
        batch.c.sha256,
        batch.c.signature,
        batch.c.content,
        batch.c.received_at,
    )
    last = 0
    while rows := connection.execute(
        sa.select(*columns).where(batch.c.id > last).order_by(batch.c.id).limit(BATCHES_AT_ONCE)
    ).all():
        yield from rows
        last = rows[-1].id


def _quoted(tables: list[sa.Table]) -> list[str]:
    return [f'"{table.name}"' for table in tables]


def _empty(connection: sa.Connection, tables: list[sa.Table]) -> None:
    """Empty the tables. The guards that make an act final are off for this alone, inside this transaction, and stand
    again before anything is written: nobody else ever sees the database without them."""
    if bulk.is_postgresql(connection):
        for name in _quoted(tables):
            connection.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        connection.exec_driver_sql(f"TRUNCATE {', '.join(_quoted(tables))}")
        for name in _quoted(tables):
            connection.exec_driver_sql(f"ALTER TABLE {name} ENABLE TRIGGER USER")
        return
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN :names")
    names = [str(table.name) for table in tables]
    guards = connection.execute(query.bindparams(sa.bindparam("names", names, expanding=True))).all()
    for name, _ in guards:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    for table in tables:
        connection.execute(table.delete())
    for _, statement in guards:
        connection.exec_driver_sql(statement)
