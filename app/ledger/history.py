"""What is known of one entity: the complete writes of its registers, its ETag, and its history for a reader."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from app.errors import problem
from app.ledger.entities import undone_merges
from app.ledger.lines import batches_holding, creation_writes
from app.ledger.tables import brought, brought_answer, fork, origin
from sync import entity, merge
from sync.catalogue import register_of
from sync.protocol import parse_dot

PRECONDITION_REQUIRED = problem(
    "precondition_required",
    428,
    "If-Match manquant",
    "Relisez la fiche et renvoyez son ETag dans l'en-tête If-Match.",
)
PRECONDITION_FAILED = problem(
    "precondition_failed",
    412,
    "La fiche a changé entre-temps",
    "Relisez la fiche, comparez, puis renvoyez votre modification avec le nouvel ETag.",
)

_TAG = re.compile(r'\s*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)')


def registers_of(connection: sa.Connection, kind: str, row: Mapping[str, Any]) -> merge.Registers:
    """The complete set of writes of a stored row, whatever its storage form."""
    if row["registers"] is not None:
        return merge.unpack(orjson.loads(row["registers"]))
    return creation_writes(connection, [(kind, row["id"], row["origin"], row["n"])])[kind, row["id"]]


def etag(row: Mapping[str, Any]) -> str:
    """A strong ETag: the hash of the entity's current dots (the operations behind what is shown)."""
    current = f"{row['origin']}:{row['n']}:{row['registers'] or ''}"
    return f'"{hashlib.sha256(current.encode()).hexdigest()[:32]}"'


def check_precondition(row: Mapping[str, Any], if_match: str | None) -> None:
    """Raise 428 without the ETag of what the officer saw (`*` says he saw nothing), 412 when it has changed since."""
    check_tag(etag(row), if_match)


def check_tag(current: str, if_match: str | None) -> None:
    """The same for the ETag of what is made of several entities."""
    if if_match is None or if_match.strip() in {"", "*"}:
        raise PRECONDITION_REQUIRED()
    if current not in _TAG.findall(if_match):
        raise PRECONDITION_FAILED(headers={"ETag": current})


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
    return histories(connection, [(kind, row)])[kind, row["id"]]


def histories(
    connection: sa.Connection, rows: Collection[tuple[str, Mapping[str, Any]]]
) -> dict[tuple[str, str], dict[str, list[dict[str, Any]]]]:
    """The history of each of these stored rows (kind, row); the number of statements does not grow with them."""
    bare = [(kind, row["id"], row["origin"], row["n"]) for kind, row in rows if row["registers"] is None]
    read_again = creation_writes(connection, bare) if bare else {}
    known = {
        (kind, row["id"]): merge.unpack(orjson.loads(row["registers"]))
        for kind, row in rows
        if row["registers"] is not None
    } | read_again
    forked, undone = forked_dots(connection), undone_merges(connection)
    dots = {w.dot for registers in known.values() for writes in registers.values() for w in writes}
    received = received_at(connection, dots)
    return {
        key: {
            name: _tell(writes, *_standing(key[0], name, registers, forked=forked, undone=undone), received)
            for name, writes in registers.items()
        }
        for key, registers in known.items()
    }


def _standing(
    kind: str, name: str, registers: merge.Registers, *, forked: frozenset[str], undone: frozenset[str]
) -> tuple[list[merge.Write], merge.Write | None]:
    """The writes of a register that stand, and the one shown; of the acts on the entity those in force."""
    if name != merge.ENTITY:
        register, writes = register_of(kind, name), registers[name]
        return merge.live(register, writes, forked), merge.provisional(register, writes, forked)
    merges = [w for w in entity.acts(registers, "merge") if w.dot not in undone or w.dot in forked]
    return [*entity.standing_voids(registers, forked), *merges], None


def _tell(
    writes: list[merge.Write],
    live: list[merge.Write],
    shown: merge.Write | None,
    received: Mapping[str, str],
) -> list[dict[str, Any]]:
    standing = {(write.dot, write.line) for write in live}
    return [
        _told(write, received.get(write.dot))
        | {"live": (write.dot, write.line) in standing, "shown": write == shown}
        for write in sorted(writes, key=lambda w: (received.get(w.dot) or "", *parse_dot(w.dot), w.line))
    ]


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
        "par": list(write.par),
    }
    return told if write.under is None else told | {"under": write.under}


def received_at(connection: sa.Connection, dots: Collection[str]) -> dict[str, str]:
    """When each of these dots first came to this server, in a batch or brought from the province. Three statements,
    however many dots."""
    places = {each: parse_dot(each) for each in dots}
    devs = {dev for dev, _, _ in places.values()}
    rows = connection.execute(sa.select(origin.c.id, origin.c.dev, origin.c.ep).where(origin.c.dev.in_(devs)))
    local = {(row.dev, row.ep): row.id for row in rows}
    named: dict[tuple[int, int], str] = {}
    wanted: dict[int, list[int]] = {}
    for each, (dev, ep, n) in places.items():
        if (held := local.get((dev, ep))) is not None:
            named[held, n] = each
            insort(wanted.setdefault(held, []), n)
    found: dict[str, str] = {}
    for row in batches_holding(connection, wanted):
        numbers = wanted[row.origin]
        for n in numbers[bisect_left(numbers, row.from_n) : bisect_right(numbers, row.to_n)]:
            found.setdefault(named[row.origin, n], row.received_at)
    came_down = (
        sa.select(brought.c.origin, brought.c.n, brought_answer.c.at)
        .join(brought_answer, brought_answer.c.id == brought.c.answer)
        .where(brought.c.origin.in_(wanted), brought.c.n.in_({n for _, n in named}))
        .order_by(brought.c.id)
    )
    for line in connection.execute(came_down):
        if (known := named.get((line.origin, line.n))) is not None:
            found.setdefault(known, line.at)
    return found
