"""What waits for someone: open conflicts, and operations whose parent has not come. Lists only; nothing here folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from app.ledger.projection import short
from app.ledger.tables import conflict, origin, waiting
from sync import merge
from sync.catalogue import register_of
from sync.ledger import Ranges
from sync.protocol import absolute, dot, parse_dot

if TYPE_CHECKING:
    from app.ledger.fold import Author, Entry

Entity = tuple[str, str]
DECIDE = "decide"


def conflicts_of(kind: str, registers: merge.Registers, forked: frozenset[str]) -> dict[str, int]:
    """The registers of an entity on which several values stand, with their legal weight (1 a person must decide)."""
    found: dict[str, int] = {}
    for name, writes in registers.items():
        if len(writes) > 1:
            register = register_of(kind, name)
            if merge.in_conflict(register, writes, forked):
                found[name] = int(register.merge in (DECIDE, "fact"))
    return found


def replace_conflicts(
    connection: sa.Connection,
    open_now: Mapping[Entity, Mapping[str, int]],
    places: Mapping[Entity, int | None],
    *,
    at: str,
) -> None:
    """Make the list say `open_now` for these entities; a case that stays open keeps the day it was opened."""
    ids = sorted({identity for _, identity in open_now})
    held = connection.execute(
        sa.select(conflict.c.kind, conflict.c.id, conflict.c.register, conflict.c.opened_at).where(
            conflict.c.id.in_(ids)
        )
    ).all()
    opened = {(row.kind, row.id, row.register): row.opened_at for row in held}
    kinds = {short(kind) for kind, _ in open_now}
    if held:
        connection.execute(conflict.delete().where(conflict.c.id.in_(ids), conflict.c.kind.in_(kinds)))
    rows = []
    for (kind, identity), registers in open_now.items():
        for name, weight in registers.items():
            key = (short(kind), identity, short(name))
            rows.append(
                {
                    "kind": key[0],
                    "id": identity,
                    "register": key[2],
                    "area": places[kind, identity],
                    "weight": weight,
                    "opened_at": opened.get(key, at),
                }
            )
    if rows:
        connection.execute(conflict.insert(), rows)


def list_waiting(
    connection: sa.Connection,
    entries: Iterable[Entry],
    author: Author,
    dispositions: Mapping[str, Any],
    *,
    at: str,
) -> set[int]:
    """List operations that came before their entity or before a parent named in `par`; gives the numbers of the latter."""
    rows: list[dict[str, Any]] = []
    listed: set[int] = set()
    arrived_entities: set[str] = set()
    parents: list[tuple[Entry, int, str]] = []
    for entry in entries:
        if any(operation.new for _, operation, _ in entry.operations):
            arrived_entities.add(entry.id)
        for n, operation, _ in entry.operations:
            if dispositions.get(str(n), {}).get("reason") == "entity_not_arrived":
                rows.append(_waits(entry, author, n, short(entry.shape.kind), at))
            for named in operation.par.values():
                parents.extend((entry, n, each) for each in absolute(named, author.dev, author.ep))
    received = _received(connection, {parse_dot(each)[:2] for _, _, each in parents})
    own = received.setdefault((author.dev, author.ep), Ranges()) if parents else Ranges()
    own.add(author.first, author.last)
    for entry, n, each in parents:
        dev, ep, number = parse_dot(each)
        if number in received.get((dev, ep), Ranges()):
            continue
        listed.add(n)
        rows.append(
            _waits(entry, author, n, short(entry.shape.kind), at)
            | {"awaited_dev": dev, "awaited_ep": ep, "awaited_n": number}
        )
    if arrived_entities:
        connection.execute(
            waiting.delete().where(
                waiting.c.entity.in_(sorted(arrived_entities)), waiting.c.awaited_dev.is_(None)
            )
        )
    if rows:
        connection.execute(waiting.insert(), rows)
    return listed


def _waits(entry: Entry, author: Author, n: int, kind: str, at: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "entity": entry.id,
        "dot": dot(author.dev, author.ep, n),
        "awaited_dev": None,
        "awaited_ep": None,
        "awaited_n": None,
        "at": at,
    }


def _received(connection: sa.Connection, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], Ranges]:
    if not wanted:
        return {}
    rows = connection.execute(sa.select(origin).where(origin.c.dev.in_({dev for dev, _ in wanted})))
    return {(row.dev, row.ep): Ranges.from_list(orjson.loads(row.ranges)) for row in rows}


def stop_waiting_for(connection: sa.Connection, *, dev: str, ep: int, first: int, last: int) -> None:
    """Operations `first` … `last` have arrived: nobody waits for them any more."""
    connection.execute(
        waiting.delete().where(
            waiting.c.awaited_dev == dev, waiting.c.awaited_ep == ep, waiting.c.awaited_n.between(first, last)
        )
    )
