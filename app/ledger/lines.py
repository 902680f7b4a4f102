"""Reading stored batches back: the line of a dot, and the writes of the operation that made an entity."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from backports import zstd

from app.ledger.senders import roles_of
from app.ledger.tables import batch, brought, brought_answer, brought_batch, origin
from sync import merge
from sync.catalogue import CATALOGUE
from sync.protocol import Line, dot, read_batch, read_line

LEVEL = 3
MOST_ASKED_FOR = 500


def compress(data: bytes) -> bytes:
    """The stored form of a batch's bytes (zstd level 3)."""
    return zstd.compress(data, LEVEL)


def decompress(content: bytes) -> bytes:
    """The signed bytes of a stored batch."""
    return zstd.decompress(content)


def falls(line: Line) -> bool:
    """Whether a line falls with a batch left out by a revocation. An act never does: only a court annuls it."""
    kind = CATALOGUE.get(line.operation.kind) if line.operation is not None else None
    return kind is None or not kind.immutable


@dataclass(frozen=True, slots=True)
class StoredLine:
    """One operation line as stored, with what its batch (named by its SHA-256) says about it.

    `role` is what the province says of a line it brought; of lines in batches the device's grant says it. `came` orders
    all lines by arrival: (number of the batch, 0), or (number of the last batch held then, number of the brought line).
    """

    line: Line
    dev: str
    ep: int
    by: str | None
    received_at: str
    batch: str
    came: tuple[int, int]
    role: str | None = None

    @property
    def dot(self) -> str:
        """The dot of the operation."""
        return dot(self.dev, self.ep, self.line.n)

    def writes(self, role: str) -> Mapping[str, merge.Write]:
        """Register → what its operation writes, the device's grant being of this role; nothing where it has none."""
        if self.line.operation is None:
            return {}
        return merge.writes_of(
            self.line.operation,
            dot=self.dot,
            dev=self.dev,
            ep=self.ep,
            by=self.by,
            role=self.role or role,
            line=hashlib.sha256(self.line.raw).hexdigest(),
        )


def lines_at(
    connection: sa.Connection, places: Iterable[tuple[int, int]], *, before: int | None = None
) -> dict[tuple[int, int], list[StoredLine]]:
    """The stored lines at (origin, n) that stand, in batches or brought; several where the dot is forked or came twice.

    Three statements, each batch decoded once. `before`: only of batches stored before that number.
    """
    wanted: dict[int, list[int]] = {}
    for local, n in sorted(set(places)):
        wanted.setdefault(local, []).append(n)
    spans = [row.id for row in batches_holding(connection, wanted)]
    query = (
        sa.select(batch, origin.c.ep)
        .join(origin, origin.c.id == batch.c.origin)
        .where(batch.c.id.in_(spans if before is None else [each for each in spans if each < before]))
        .order_by(batch.c.id)
    )
    found: dict[tuple[int, int], list[StoredLine]] = {}
    for row in connection.execute(query) if spans else ():
        numbers = set(wanted[row.origin])
        held = read_batch(decompress(row.content))
        for line in held.lines:
            if line.n in numbers and not (row.unfolded and falls(line)):
                stored = StoredLine(
                    line, row.dev, row.ep, held.header.by, row.received_at, row.sha256, came=(row.id, 0)
                )
                found.setdefault((row.origin, line.n), []).append(stored)
    for place, stored in _brought_at(connection, wanted):
        found.setdefault(place, []).append(stored)
    return found


def _brought_at(
    connection: sa.Connection, wanted: Mapping[int, list[int]]
) -> Iterator[tuple[tuple[int, int], StoredLine]]:
    """The lines the province brought, whether or not their batch came later."""
    if not wanted:
        return
    query = (
        sa.select(*_BROUGHT, sa.or_(batch.c.unfolded, brought_batch.c.unfolded).label("unfolded"))
        .join(origin, origin.c.id == brought.c.origin)
        .join(brought_answer, brought_answer.c.id == brought.c.answer)
        .outerjoin(batch, batch.c.sha256 == brought.c.batch)
        .outerjoin(brought_batch, brought_batch.c.sha256 == brought.c.batch)
        .where(sa.or_(*(_of_numbers(local, numbers) for local, numbers in wanted.items())))
        .order_by(brought.c.id)
    )
    sets = {local: set(numbers) for local, numbers in wanted.items()}
    for row in connection.execute(query):
        if row.n in sets[row.origin]:
            stored = _brought(row)
            if not (row.unfolded and falls(stored.line)):
                yield (row.origin, row.n), stored


_BROUGHT = (brought, brought_answer.c.at, brought_answer.c.after_batch, origin.c.dev, origin.c.ep)


def _brought(row: sa.Row[Any]) -> StoredLine:
    line = Line(row.n, row.line, read_line(row.line, row.n, dev=row.dev, ep=row.ep))
    came = (row.after_batch, row.id)
    return StoredLine(line, row.dev, row.ep, row.by, row.at, row.batch, came, row.role)


def lines_brought_of(connection: sa.Connection, local: int, *, sha256: str) -> list[StoredLine]:
    """Every line the province brought of one batch of an origin, in the order in which they came."""
    query = (
        sa.select(*_BROUGHT)
        .join(origin, origin.c.id == brought.c.origin)
        .join(brought_answer, brought_answer.c.id == brought.c.answer)
        .where(brought.c.origin == local, brought.c.batch == sha256)
        .order_by(brought.c.id)
    )
    return [_brought(row) for row in connection.execute(query)]


def _of_numbers(local: int, numbers: Sequence[int]) -> sa.ColumnElement[bool]:
    """A few numbers far apart are looked up each by itself; many of them by the span they lie in."""
    few = len(numbers) <= MOST_ASKED_FOR
    within = brought.c.n.in_(numbers) if few else brought.c.n.between(numbers[0], numbers[-1])
    return sa.and_(brought.c.origin == local, within)


def batches_holding(
    connection: sa.Connection, wanted: Mapping[int, Sequence[int]]
) -> list[sa.Row[int, int, int, int, str]]:
    """The batches that hold any of these sorted numbers of each origin (local): id, origin, from_n, to_n, received_at,
    by id. One statement."""
    if not wanted:
        return []
    columns = (batch.c.id, batch.c.origin, batch.c.from_n, batch.c.to_n, batch.c.received_at)
    query = sa.select(*columns).where(
        batch.c.origin.in_(wanted),
        batch.c.to_n >= min(numbers[0] for numbers in wanted.values()),
        batch.c.from_n <= max(numbers[-1] for numbers in wanted.values()),
    )
    found = []
    for row in connection.execute(query.order_by(batch.c.id)):
        numbers = wanted[row.origin]
        at = bisect_left(numbers, row.from_n)
        if at < len(numbers) and numbers[at] <= row.to_n:
            found.append(row)
    return found


def creation_writes(
    connection: sa.Connection, entities: list[tuple[str, str, int, int]]
) -> dict[tuple[str, str], merge.Registers]:
    """The registers of entities (kind, id, origin, n) that consist of one operation, read again from its line."""
    stored = lines_at(connection, [(local, n) for _, _, local, n in entities])
    roles = roles_of(connection, {s.dev for lines in stored.values() for s in lines})
    found: dict[tuple[str, str], merge.Registers] = {}
    for kind, identity, local, n in entities:
        registers: merge.Registers = {}
        for each in stored.get((local, n), []):
            operation = each.line.operation
            if operation is not None and operation.kind == kind and operation.id == identity:
                merge.add(registers, each.writes(roles[each.dev]))
        found[kind, identity] = registers
    return found
