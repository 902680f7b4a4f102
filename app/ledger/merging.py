"""The entities of a batch that acts join or hide: all ids merges connect are loaded with it, and shown as one.
What follows from the acts is said in sync.entity; the rows are written by writing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from app.ledger.entry import Author, Entity, Entry, Touched
from app.ledger.projection import Registry
from app.ledger.tables import merging, unmerged
from sync import entity, merge
from sync.protocol import absolute, dot


@dataclass(frozen=True, slots=True)
class Joined:
    """The entities any merge connects with those of a batch, undone merges too, and the dots of the undone ones."""

    members: frozenset[Entity] = frozenset()
    undone: frozenset[str] = frozenset()


def join(connection: sa.Connection, registry: Registry, *, touched: Touched, author: Author) -> Joined:
    """Note the merges and unmerges of a batch, and add to it every entity they or older ones connect with its own.

    Three statements at most to write, one to read; none for a batch that only writes new entities down.
    """
    ids, undone = _note(connection, touched, author)
    if not ids:
        return Joined()
    rows = _connected(connection, ids, undone)
    members = {(row.kind, each) for row in rows for each in (row.loser, row.survivor) if each is not None}
    for kind, identity in members:
        changes = touched.changes[kind]
        if identity not in changes:
            made = touched.creations[kind].pop(identity, None)
            changes[identity] = made or Entry(registry.shape(kind), identity, [])
    _name_survivors(touched)
    return Joined(frozenset(members), frozenset(row.dot for row in rows if row.undone))


def _note(connection: sa.Connection, touched: Touched, author: Author) -> tuple[set[str], set[str]]:
    """Keep the merges of a batch and what its unmerges name: (ids of its changed entities, dots named)."""
    ids: set[str] = set()
    rows: list[dict[str, Any]] = []
    undone: set[str] = set()
    for entry in touched.changed():
        ids.add(entry.id)
        for n, operation, raw in entry.operations:
            if operation.act == "merge":
                survivor = entity.survivor_of(operation.into, loser=entry.id)
                line = hashlib.sha256(raw).hexdigest()
                said = {"dot": dot(author.dev, author.ep, n), "line": line, "kind": entry.shape.kind}
                rows.append(said | {"loser": entry.id, "survivor": survivor})
            elif operation.act == "unmerge":
                undone.update(absolute(operation.par.get("merge", ()), author.dev, author.ep))
    _keep(connection, merging, rows)
    _keep(connection, unmerged, [{"dot": each} for each in sorted(undone)])
    return ids, undone


def _keep(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows whose key is not there yet."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key.columns]
    query = sa.select(*table.primary_key.columns).where(table.c.dot.in_({row["dot"] for row in rows}))
    held = {tuple(row) for row in connection.execute(query)}
    fresh = {key: row for row in rows if (key := tuple(row[name] for name in keys)) not in held}
    if fresh:
        connection.execute(table.insert(), list(fresh.values()))


def _connected(
    connection: sa.Connection, ids: Collection[str], undone: Collection[str]
) -> list[sa.Row[tuple[str, str, str | None, str, bool]]]:
    """All merges of the entities these ids belong to, or belonged to before a merge was undone."""
    edge = merging.c
    found = (
        sa.select(edge.loser.label("id"))
        .where(sa.or_(edge.loser.in_(ids), edge.survivor.in_(ids), edge.dot.in_(undone)))
        .cte("found", recursive=True)
    )
    other_end = sa.case((edge.loser == found.c.id, edge.survivor), else_=edge.loser)
    beside = sa.or_(edge.loser == found.c.id, edge.survivor == found.c.id)
    found = found.union(sa.select(other_end).join(found, beside).where(edge.survivor.is_not(None)))
    is_undone = sa.exists().where(unmerged.c.dot == edge.dot).label("undone")
    columns = (edge.kind, edge.loser, edge.survivor, edge.dot, is_undone)
    query = sa.select(*columns).where(edge.loser.in_(sa.select(found.c.id)))
    return list(connection.execute(query).all())


def _name_survivors(touched: Touched) -> None:
    """Tell each survivor which merges of this batch name it: they wait with it until it is written down."""
    for entry in list(touched.changed()):
        for n, operation, _ in entry.operations:
            if operation.act == "merge":
                survivor = entity.survivor_of(operation.into, loser=entry.id)
                if survivor is not None:
                    touched.changes[entry.shape.kind][survivor].named.append(n)


def stand(touched: Touched, joined: Joined, *, forked: Callable[[], frozenset[str]]) -> None:
    """Show each entity that acts concern as it stands now: under which id, with what values, hidden or not.

    Each entry has its own writes before; afterwards the one shown has those of all its ids.
    """
    concerned: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in touched.changed():
        registers = entry.registers if entry.registers is not None else {}
        if entry.key in joined.members or merge.ENTITY in registers:
            # Marks the row as one that acts concern: with nothing else in it, it counts for nothing.
            registers.setdefault(merge.ENTITY, [])
            entry.registers = registers
            concerned[entry.shape.kind][entry.id] = entry
    for kind, entries in concerned.items():
        own = {identity: entry.registers or {} for identity, entry in entries.items()}
        for identity, view in entity.view(kind, own, forked=forked(), undone=joined.undone).items():
            _show(entries[identity], view, forked())


def _show(entry: Entry, view: entity.View, forked: frozenset[str]) -> None:
    entry.registers = view.registers
    entry.merged_into = view.shown if view.shown != entry.id else None
    entry.void = view.hidden and entry.merged_into is None
    entry.counted = not entry.away and view.registers.keys() != {merge.ENTITY}
    shown = merge.show(entry.shape.kind, view.registers, forked) if entry.merged_into is None else {}
    entry.clean, entry.extra = entry.shape.split(shown)


def is_counted(row: Mapping[str, Any], registers: merge.Registers) -> bool:
    """Whether a stored row with these registers stands in the figures."""
    return not row["void"] and row["merged_into"] is None and registers.keys() != {merge.ENTITY}


# -- merges taken out again ------------------------------------------------------------------------------------


def part(
    connection: sa.Connection,
    registry: Registry,
    *,
    entities: Collection[Entity],
    taken: Collection[tuple[str, str]],
) -> set[Entity]:
    """Forget the merges and unmerges among the lines (dot, SHA-256) taken out; gives every entity merges connected with
    these, the forgotten ones too: all of them are to be shown anew."""
    ids = {identity for _, identity in entities}
    if not ids:
        return set()
    named, others = _undone_under(connection, registry, entities=entities, taken=taken)
    rows = _connected(connection, ids, named)
    members = {(row.kind, each) for row in rows for each in (row.loser, row.survivor) if each is not None}
    dots = {row.dot for row in rows}
    gone = [{"taken_dot": dot, "taken_line": line} for dot, line in taken if dot in dots]
    if gone:
        lines = (merging.c.dot == sa.bindparam("taken_dot"), merging.c.line == sa.bindparam("taken_line"))
        connection.execute(merging.delete().where(*lines), gone)
    if named:
        others |= _undone_under(connection, registry, entities=members, taken=taken)[1]
        connection.execute(unmerged.delete().where(unmerged.c.dot.in_(named - others)))
    return members


def _undone_under(
    connection: sa.Connection,
    registry: Registry,
    *,
    entities: Collection[Entity],
    taken: Collection[tuple[str, str]],
) -> tuple[set[str], set[str]]:
    """The merges that unmerges written under these entities name: by lines taken out, and by others."""
    fallen: set[str] = set()
    standing: set[str] = set()
    for kind in {kind for kind, _ in entities}:
        table = registry.shape(kind).table
        ids = [identity for of, identity in entities if of == kind]
        query = sa.select(table.c.registers).where(table.c.id.in_(ids), table.c.registers.is_not(None))
        for stored in connection.execute(query).scalars():
            for each in entity.acts(merge.unpack(orjson.loads(stored)), "unmerge"):
                into = fallen if (each.dot, each.line) in taken else standing
                into |= entity.undone_by({merge.ENTITY: [each]})
    return fallen, standing


def joining(connection: sa.Connection, entities: Iterable[Entity]) -> dict[Entity, set[str]]:
    """Entity → the dots of the merges that name it as survivor."""
    found: dict[Entity, set[str]] = {}
    keys = set(entities)
    query = sa.select(merging.c.kind, merging.c.survivor, merging.c.dot)
    for kind, survivor, named in connection.execute(
        query.where(merging.c.survivor.in_({identity for _, identity in keys}))
    ):
        if (kind, survivor) in keys:
            found.setdefault((kind, survivor), set()).add(named)
    return found


def undoing(
    connection: sa.Connection, registry: Registry, kind: str, *, merges: Collection[str]
) -> Iterator[tuple[Mapping[str, Any], set[str]]]:
    """(row, dots of unmerges written under it) of the other entities these merges connect, where they undo any of them:
    whoever hears of an entity has to hear that its merge was undone under the survivor's id."""
    edges = connection.execute(
        sa.select(merging.c.loser, merging.c.survivor).where(merging.c.dot.in_(merges))
    )
    ids = {each for edge in edges for each in edge if each is not None}
    table = registry.shape(kind).table
    query = sa.select(table).where(table.c.id.in_(ids), table.c.registers.is_not(None))
    for row in connection.execute(query).mappings():
        acts = entity.acts(merge.unpack(orjson.loads(row["registers"])), "unmerge")
        dots = {each.dot for each in acts if entity.undone_by({merge.ENTITY: [each]}) & set(merges)}
        if dots:
            yield dict(row), dots
