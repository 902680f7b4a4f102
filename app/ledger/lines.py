"""Reading stored batches back: the line of a dot, and the writes of the operation that made an entity."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
import sqlalchemy as sa
from backports import zstd

from app.ledger.tables import admitted, batch, device, node, origin
from sync import merge
from sync.protocol import Line, dot, read_batch

LEVEL = 3


def compress(data: bytes) -> bytes:
    """The stored form of a batch's bytes (zstd level 3)."""
    return zstd.compress(data, LEVEL)


def decompress(content: bytes) -> bytes:
    """The signed bytes of a stored batch."""
    return zstd.decompress(content)


@dataclass(frozen=True, slots=True)
class StoredLine:
    """One operation line as stored, with what its batch says about it."""

    line: Line
    dev: str
    ep: int
    by: str | None
    received_at: str

    @property
    def dot(self) -> str:
        """The dot of the operation."""
        return dot(self.dev, self.ep, self.line.n)


def lines_at(
    connection: sa.Connection, places: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], list[StoredLine]]:
    """The stored lines at (origin, n); two where the dot is forked. One statement, each batch decoded once."""
    wanted: dict[int, set[int]] = {}
    for local, n in places:
        wanted.setdefault(local, set()).add(n)
    found: dict[tuple[int, int], list[StoredLine]] = {}
    for local, numbers in wanted.items():
        within = sa.or_(*(sa.and_(batch.c.from_n <= n, batch.c.to_n >= n) for n in sorted(numbers)))
        query = (
            sa.select(batch.c.content, batch.c.received_at, batch.c.sha256, origin.c.dev, origin.c.ep)
            .join(origin, origin.c.id == batch.c.origin)
            .where(batch.c.origin == local, within)
            .order_by(batch.c.id)
        )
        for row in connection.execute(query):
            held = read_batch(decompress(row.content))
            for line in held.lines:
                if line.n in numbers:
                    stored = StoredLine(line, row.dev, row.ep, held.header.by, row.received_at)
                    found.setdefault((local, line.n), []).append(stored)
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
                merge.add(
                    registers,
                    merge.writes_of(
                        operation,
                        dot=each.dot,
                        dev=each.dev,
                        ep=each.ep,
                        by=each.by,
                        role=roles[each.dev],
                        line=hashlib.sha256(each.line.raw).hexdigest(),
                    ),
                )
        found[kind, identity] = registers
    return found


def roles_of(connection: sa.Connection, devs: Iterable[str]) -> dict[str, str]:
    """The role of each device's grant; the server's own device has the role of its kind."""
    wanted = set(devs)
    own = connection.execute(sa.select(node.c.dev, node.c.kind)).one()
    rows = connection.execute(sa.select(device.c.id, device.c.role).where(device.c.id.in_(wanted)))
    taken = connection.execute(sa.select(admitted.c.dev, admitted.c.claims).where(admitted.c.dev.in_(wanted)))
    roles = {row.dev: str(orjson.loads(row.claims)["role"]) for row in taken}
    roles.update((row.id, row.role or "agent") for row in rows)
    roles[own.dev] = "province" if own.kind in ("province", "both") else "node"
    return {dev: roles.get(dev, "agent") for dev in wanted}
