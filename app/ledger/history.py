"""What is known of one entity: the complete writes of its registers, its ETag, and its history for a reader."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from app.ledger.entities import undone_merges
from app.ledger.lines import creation_writes
from app.ledger.tables import batch, fork, origin
from sync import entity, merge
from sync.catalogue import register_of
from sync.protocol import parse_dot

_ACT_OF = {entity.VOID: "void", entity.MERGED_INTO: "merge"}


def registers_of(connection: sa.Connection, kind: str, row: Mapping[str, Any]) -> merge.Registers:
    """The complete set of writes of a stored row, whatever its storage form."""
    if row["registers"] is not None:
        return merge.unpack(orjson.loads(row["registers"]))
    return creation_writes(connection, [(kind, row["id"], row["origin"], row["n"])])[kind, row["id"]]


def etag(row: Mapping[str, Any]) -> str:
    """A strong ETag: the hash of the entity's current dots (the operations behind what is shown)."""
    current = f"{row['origin']}:{row['n']}:{row['registers'] or ''}"
    return f'"{hashlib.sha256(current.encode()).hexdigest()[:32]}"'


def forked_dots(connection: sa.Connection) -> frozenset[str]:
    """All dots under which two different lines stand."""
    return frozenset(connection.execute(sa.select(fork.c.dot)).scalars())


def current_dots(
    registers: merge.Registers, kind: str, *, register: str, forked: frozenset[str] = frozenset()
) -> list[str]:
    """The dots of the live values of one register: the `par` of whoever has seen them all."""
    writes = registers.get(register, [])
    return sorted({write.dot for write in merge.live(register_of(kind, register), writes, forked)})


def live_values(
    kind: str, registers: merge.Registers, *, identity: str, forked: frozenset[str], undone: frozenset[str]
) -> dict[str, list[dict[str, Any]]]:
    """The open cases of the entity shown under `identity`: registers on which several values stand, and under `void`
    and `merged_into` acts that a person must look at; each value with dot, evidence, author (the row's `conflict`)."""
    found: dict[str, list[merge.Write]] = {}
    for name, writes in registers.items():
        register = register_of(kind, name)
        if len(writes) > 1 and merge.in_conflict(register, writes, forked):
            found[name] = merge.live(register, writes, forked)
    found |= entity.open_acts(kind, identity, registers=registers, forked=forked, undone=undone)
    return {
        name: [{"dot": each.dot, "value": each.value, "ev": each.ev, "by": each.by} for each in writes]
        for name, writes in found.items()
    }


def history(connection: sa.Connection, kind: str, row: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Per register every value ever written: who, when, on which device, with which evidence, does it still stand,
    and `under` which id where the entity has several. The acts on the entity itself stand under ''."""
    registers = registers_of(connection, kind, row)
    forked = forked_dots(connection)
    received = _received(connection, {w.dot for writes in registers.values() for w in writes})
    found: dict[str, list[dict[str, Any]]] = {}
    for name, writes in registers.items():
        if name == merge.ENTITY:
            live = _standing_acts(registers, forked, undone_merges(connection))
            shown = None
        else:
            register = register_of(kind, name)
            live, shown = merge.live(register, writes, forked), merge.provisional(register, writes, forked)
        standing = {(write.dot, write.line) for write in live}
        found[name] = [
            _told(write, received.get(write.dot))
            | {"live": (write.dot, write.line) in standing, "shown": write == shown}
            for write in sorted(writes, key=lambda w: (received.get(w.dot) or "", *parse_dot(w.dot), w.line))
        ]
    return found


def standing_values(told: Mapping[str, list[dict[str, Any]]], register: str) -> list[dict[str, Any]]:
    """The values of one open case in an entity's `history`; of the cases `void` and `merged_into` what the acts in
    force say: true, and the id each merge names."""
    act = _ACT_OF.get(register)
    if act is None:
        return [each for each in told.get(register, []) if each["live"]]
    acts = [each for each in told.get(merge.ENTITY, []) if each["live"] and each["value"]["act"] == act]
    return [each | {"value": each["value"].get("into") if act == "merge" else True} for each in acts]


def _standing_acts(
    registers: merge.Registers, forked: frozenset[str], undone: frozenset[str]
) -> list[merge.Write]:
    """The voids and merges in force."""
    merges = [w for w in entity.acts(registers, "merge") if w.dot not in undone or w.dot in forked]
    return [*entity.standing_voids(registers, forked), *merges]


def _told(write: merge.Write, received: str | None) -> dict[str, Any]:
    told = {
        "value": write.value,
        "by": write.by,
        "at": write.at,
        "received_at": received,
        "dev": parse_dot(write.dot)[0],
        "dot": write.dot,
        "ev": write.ev,
        "role": write.role,
    }
    return told if write.under is None else told | {"under": write.under}


def _received(connection: sa.Connection, dots: set[str]) -> dict[str, str]:
    """When the batch of each dot came to this server."""
    found: dict[str, str] = {}
    for each in dots:
        dev, ep, n = parse_dot(each)
        query = (
            sa.select(batch.c.received_at)
            .join(origin, origin.c.id == batch.c.origin)
            .where(origin.c.dev == dev, origin.c.ep == ep, batch.c.from_n <= n, batch.c.to_n >= n)
            .order_by(batch.c.id)
            .limit(1)
        )
        at = connection.execute(query).scalar()
        if at:
            found[each] = at
    return found
