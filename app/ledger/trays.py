"""What waits for someone: open conflicts, and operations whose parent has not come. Lists only; nothing here folds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from app.ledger.entry import Author, Entity, Entry
from app.ledger.keeping import numbers_of
from app.ledger.projection import short
from app.ledger.tables import conflict, origin, waiting
from sync import entity, merge
from sync.catalogue import register_of
from sync.ledger import Ranges
from sync.protocol import Operation, absolute, dot, parse_dot

HEAVY, LIGHT = 1, 0
CLOSED_BY_A_PERSON = ("decide", "fact")
NOT_WRITTEN_DOWN, NO_PARENT = "entity_not_arrived", "parent_not_arrived"


def conflicts_of(
    entry: Entry, *, forked: frozenset[str], undone: frozenset[str] = frozenset()
) -> dict[str, int]:
    """The registers of an entity on which several values stand, with their legal weight (1 a person must decide).

    Nobody need decide about what is hidden, nor about an id that is shown under another.
    """
    if entry.away:
        return {}
    kind, registers, found = entry.shape.kind, entry.registers or {}, dict[str, int]()
    for name, writes in registers.items():
        if len(writes) > 1 and name != merge.ENTITY:
            register = register_of(kind, name)
            if merge.in_conflict(register, writes, forked):
                found[name] = HEAVY if register.merge in CLOSED_BY_A_PERSON else LIGHT
    cases = entity.open_acts(kind, entry.id, registers=registers, forked=forked, undone=undone)
    return found | dict.fromkeys(cases, HEAVY)


def replace_conflicts(
    connection: sa.Connection,
    open_now: Mapping[Entity, Mapping[str, int]],
    *,
    places: Mapping[Entity, int],
    partly: Collection[Entity] = (),
    at: str,
) -> None:
    """Make the list say `open_now` for these entities; a case that stays open keeps the day it was opened.

    `places` are local area numbers. Of the entities in `partly` other cases than those given stay listed.
    """
    keys = {(short(kind), identity): (kind, identity) for kind, identity in open_now}
    ids = sorted({identity for _, identity in open_now})
    columns = (conflict.c.kind, conflict.c.id, conflict.c.register, conflict.c.opened_at)
    held = connection.execute(sa.select(*columns).where(conflict.c.id.in_(ids))).all()
    opened = {(row.kind, row.id, row.register): row.opened_at for row in held}
    wanted = {
        (kind, identity, short(name)): weight
        for (kind, identity), key in keys.items()
        for name, weight in open_now[key].items()
    }
    closed = [
        key for key in opened if (known := keys.get(key[:2])) and (known not in partly or key in wanted)
    ]
    if closed:
        _delete(connection, closed)
    rows = [
        {
            "kind": kind,
            "id": identity,
            "register": name,
            "area": places[keys[kind, identity]],
            "weight": weight,
            "opened_at": opened.get((kind, identity, name), at),
        }
        for (kind, identity, name), weight in wanted.items()
    ]
    if rows:
        connection.execute(conflict.insert(), rows)


def move_conflicts(connection: sa.Connection, places: Mapping[Entity, int]) -> None:
    """Open cases of entities that followed another one go to the tray of their new area (local number)."""
    if not places:
        return
    query = conflict.update().where(
        conflict.c.kind == sa.bindparam("of"), conflict.c.id == sa.bindparam("entity")
    )
    rows = [{"of": short(kind), "entity": each, "to": to} for (kind, each), to in places.items()]
    connection.execute(query.values(area=sa.bindparam("to")), rows)


def _delete(connection: sa.Connection, keys: Iterable[tuple[str, str, str]]) -> None:
    query = conflict.delete().where(
        conflict.c.kind == sa.bindparam("of"),
        conflict.c.id == sa.bindparam("entity"),
        conflict.c.register == sa.bindparam("name"),
    )
    connection.execute(query, [{"of": kind, "entity": each, "name": name} for kind, each, name in keys])


def list_waiting(
    connection: sa.Connection,
    entries: Collection[Entry],
    *,
    author: Author,
    dispositions: Mapping[str, Any],
    at: str,
) -> dict[int, str]:
    """List operations that came before their entity was written down or before a parent named in `par`.

    Gives number → reason. What waited for an entity written down in this batch waits no more.
    """
    entries = [entry for entry in entries if entry.operations or entry.named]
    if not entries:
        return {}
    early = _not_written_down(connection, entries)
    rows: list[dict[str, Any]] = []
    listed: dict[int, str] = {}
    parents: dict[tuple[int, str], Entry] = {}
    for entry in entries:
        for n in entry.named if entry.key in early else ():
            if dispositions.get(str(n), {}).get("status") != "duplicate":
                listed[n] = NOT_WRITTEN_DOWN
                rows.append(waits(entry, dot(author.dev, author.ep, n), at=at))
        for n, operation, _ in entry.operations:
            if dispositions.get(str(n), {}).get("status") == "duplicate":
                continue
            if entry.key in early:
                listed[n] = NOT_WRITTEN_DOWN
                rows.append(waits(entry, dot(author.dev, author.ep, n), at=at))
            parents |= parents_of(entry, operation, n=n, author=author)
    for n, row in missing_parents(connection, parents, author=author, at=at):
        listed.setdefault(n, NO_PARENT)
        rows.append(row)
    if rows:
        connection.execute(waiting.insert(), rows)
    return listed


def _not_written_down(connection: sa.Connection, entries: Collection[Entry]) -> set[Entity]:
    """The entities whose first operation is still missing; ends the waiting for those whose first is in this batch."""
    arrived = {e.key for e in entries if any(operation.new for _, operation, _ in e.operations)}
    query = sa.select(waiting.c.id, waiting.c.kind, waiting.c.entity).where(
        waiting.c.entity.in_({e.id for e in entries}), waiting.c.awaited_dev.is_(None)
    )
    found = connection.execute(query).all()
    awaited = {(row.kind, row.entity) for row in found}
    ended = {(short(kind), identity) for kind, identity in arrived}
    over = [row.id for row in found if (row.kind, row.entity) in ended]
    if over:
        connection.execute(waiting.delete().where(waiting.c.id.in_(over)))
    return {
        e.key
        for e in entries
        if e.key not in arrived and (e.before is None or (short(e.shape.kind), e.id) in awaited)
    }


def waits(entry: Entry, named: str, *, at: str) -> dict[str, Any]:
    """The row of an operation (its dot) that waits for the first writing down of its entity."""
    return {
        "kind": short(entry.shape.kind),
        "entity": entry.id,
        "dot": named,
        "awaited_dev": None,
        "awaited_ep": None,
        "awaited_n": None,
        "at": at,
    }


def parents_of(entry: Entry, operation: Operation, *, n: int, author: Author) -> dict[tuple[int, str], Entry]:
    """(number, dot it names) → its entity, for every parent of an operation."""
    named = (each for dots in operation.par.values() for each in absolute(dots, author.dev, author.ep))
    return {(n, each): entry for each in named}


def missing_parents(
    connection: sa.Connection, parents: Mapping[tuple[int, str], Entry], *, author: Author, at: str
) -> list[tuple[int, dict[str, Any]]]:
    """(number, row) of the operations whose parent has not come: arrived is what is held, whether it stands or not."""
    received = _received(connection, {parse_dot(each)[:2] for _, each in parents})
    received.setdefault((author.dev, author.ep), Ranges()).add(author.first, author.last)
    found = []
    for (n, each), entry in parents.items():
        dev, ep, number = parse_dot(each)
        if number not in received.get((dev, ep), Ranges()):
            awaited = {"awaited_dev": dev, "awaited_ep": ep, "awaited_n": number}
            found.append((n, waits(entry, dot(author.dev, author.ep, n), at=at) | awaited))
    return found


def _received(connection: sa.Connection, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], Ranges]:
    if not wanted:
        return {}
    rows = connection.execute(sa.select(origin).where(origin.c.dev.in_({dev for dev, _ in wanted})))
    return {(row.dev, row.ep): numbers_of(row) for row in rows}


def stop_waiting_for(connection: sa.Connection, *, dev: str, ep: int, first: int, last: int) -> None:
    """Operations `first` … `last` have arrived: nobody waits for them any more."""
    connection.execute(
        waiting.delete().where(
            waiting.c.awaited_dev == dev, waiting.c.awaited_ep == ep, waiting.c.awaited_n.between(first, last)
        )
    )
