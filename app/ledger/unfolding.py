"""Taking batches out of the register again, and back in: what follows where a revocation or a release changes which
batches of a device stand. Which do is decided in revocation; merging, placing and counting are those of every fold."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from app.ledger import keeping
from app.ledger.areas import Areas
from app.ledger.entry import Author, Entity, Entry, Touched
from app.ledger.fold import Fold
from app.ledger.lines import StoredLine, decompress, falls, lines_at
from app.ledger.merging import joining, part
from app.ledger.projection import Registry, short
from app.ledger.revocation import REASON, Verdict
from app.ledger.senders import homes_of, roles_of
from app.ledger.sorting import Sorted
from app.ledger.tables import batch, fork, origin, quarantine, waiting
from app.ledger.trays import missing_parents, parents_of, waits
from sync import merge
from sync.ledger import refusal
from sync.protocol import Header, Line, dot, parse_dot, read_batch

LAST = 1 << 62
NOBODY = Author("", 0, 0, "", None, None, 0, 0)
Stored = sa.Row[Any]
Place = tuple[int, int]


def settle(
    connection: sa.Connection,
    devs: Iterable[str],
    *,
    verdict: Callable[[str], Verdict],
    unfold: Callable[[list[Stored]], set[str]],
    refold: Callable[[Stored], set[str]],
) -> None:
    """Make the batches of these devices stand as their verdicts say. What is taken out or back in may be about devices
    again: servers revoke, and are revoked by the province alone, so this ends."""
    pending = sorted(devs)
    while pending:
        dev = pending.pop()
        found = verdict(dev)
        epochs = connection.execute(sa.select(origin).where(origin.c.dev == dev)).all()
        if not found.revoked and not any(each.revoked for each in epochs):
            continue
        connection.execute(origin.update().where(origin.c.dev == dev).values(revoked=bool(found.revoked)))
        leaving: list[int] = []
        returning: list[int] = []
        for each in epochs:
            columns = (batch.c.id, batch.c.sha256, batch.c.prev, batch.c.unfolded)
            rows = connection.execute(sa.select(*columns).where(batch.c.origin == each.id)).all()
            standing = found.stands(each.ep, {row.sha256: row.prev for row in rows})
            leaving += [row.id for row in rows if row.sha256 not in standing and not row.unfolded]
            returning += [row.id for row in rows if row.sha256 in standing and row.unfolded]
        again = unfold(_stored(connection, leaving)) if leaving else set()
        for row in _stored(connection, sorted(returning)):
            again |= refold(row)
        pending += sorted(again)


def _stored(connection: sa.Connection, ids: Collection[int]) -> list[Stored]:
    query = sa.select(batch, origin.c.ep).join(origin, origin.c.id == batch.c.origin)
    return list(connection.execute(query.where(batch.c.id.in_(ids)).order_by(batch.c.id)).all())


def stand_again(connection: sa.Connection, row: Stored) -> None:
    """A batch was folded again: it stands, and its lines are set aside no more."""
    connection.execute(batch.update().where(batch.c.id == row.id).values(unfolded=None))
    connection.execute(
        quarantine.delete().where(quarantine.c.sha256 == row.sha256, quarantine.c.reason == REASON)
    )


class Came(NamedTuple):
    """An operation that stands: its batch, number and origin here, its dot and line."""

    batch: int
    n: int
    origin: int
    dot: str
    line: Line


def _came(
    connection: sa.Connection, touched: Touched, joins: Mapping[Entity, Collection[str]]
) -> dict[Entity, list[Came]]:
    """Entity → its operations that stand and wrote something, and the merges (`joins`) that name it as survivor."""
    dots = {
        entry.key: {write.dot for writes in (entry.registers or {}).values() for write in writes}
        | set(joins.get(entry.key, ()))
        for entry in touched.changed()
        if entry.before is not None
    }
    wanted = {each: parse_dot(each) for each in set().union(*dots.values())}
    query = sa.select(origin).where(origin.c.dev.in_({dev for dev, _, _ in wanted.values()}))
    local = {(row.dev, row.ep): row.id for row in connection.execute(query)} if wanted else {}
    places = {each: (local[dev, ep], n) for each, (dev, ep, n) in wanted.items() if (dev, ep) in local}
    stored = lines_at(connection, places.values())
    return {
        key: [
            Came(LAST if each.came is None else each.came, each.line.n, places[named][0], named, each.line)
            for named in held & places.keys()
            for each in stored.get(places[named], ())
            if (operation := each.line.operation) is not None
            and operation.kind == key[0]
            and key[1] in (operation.id, operation.into)
        ]
        for key, held in dots.items()
    }


def _name_the_first(entry: Entry, came: Iterable[tuple[int, int, int]]) -> None:
    """Let a row name, as every other row does, the operation that came first among those that stand."""
    first = min(came, default=None)
    if first is not None and entry.before is not None:
        entry.before = {**entry.before, "origin": first[2], "n": first[1]}


def amend_return(connection: sa.Connection, row: Stored, touched: Touched) -> None:
    """Before a batch is folded again: rows it came before name it as their first."""
    came = _came(connection, touched, joining(connection, (entry.key for entry in touched.changed())))
    for entry in touched.changed():
        if entry.before is not None and (entry.operations or entry.named):
            first = (row.id, min([*entry.named, *(n for n, _, _ in entry.operations)]), row.origin)
            _name_the_first(entry, [first, *(each[:3] for each in came[entry.key])])


class Unfolding:
    """Batches being taken out, all at once. Acts stay: only a court annuls them."""

    def __init__(self, connection: sa.Connection, registry: Registry, *, areas: Areas, at: str) -> None:
        self.connection = connection
        self.registry = registry
        self.areas = areas
        self.at = at
        self.taken: set[tuple[str, str]] = set()
        self.places: set[Place] = set()
        self.entities: dict[Entity, None] = {}
        self.written_down: set[Entity] = set()
        self.kept: dict[Entity, dict[Place, list[StoredLine]]] = defaultdict(dict)
        self.gone: set[Entity] = set()

    def run(self, rows: Collection[Stored]) -> set[str]:
        """Take these batches out of every register; gives the devices something is said of in them."""
        ids = [row.id for row in rows]
        self.connection.execute(batch.update().where(batch.c.id.in_(ids)).values(unfolded=True))
        devs = {row.dev for row in rows}
        roles = roles_of(self.connection, devs)
        homes = homes_of(self.connection, devs, commune_of=self.areas.commune)
        for row in rows:
            readable = read_batch(decompress(row.content))
            fallen = [line for line in readable.lines if falls(line)]
            self._take_out(row, fallen, role=roles[row.dev])
            self._set_aside(row, readable.header, fallen, home=homes[row.dev])
        for row in rows:
            self._keep_what_stands_elsewhere(row)
        elsewhere = {
            (each.dot, hashlib.sha256(each.line.raw).hexdigest())
            for places in self.kept.values()
            for lines in places.values()
            for each in lines
        }
        alone = self.taken - elsewhere
        for key in part(self.connection, self.registry, entities=self.entities, taken=alone):
            self.entities[key] = None
        self._fold(self.entities, self._amend)
        self._fold(self._left_behind(), None)
        return {identity for kind, identity in self.entities if kind == "device"}

    def _take_out(self, row: Stored, lines: Sequence[Line], *, role: str) -> None:
        for line in lines:
            operation = line.operation
            if operation is None or refusal(operation, role=role) is not None:
                continue
            self.places.add((row.origin, line.n))
            self.taken.add((dot(row.dev, row.ep, line.n), hashlib.sha256(line.raw).hexdigest()))
            self.entities[operation.kind, operation.id] = None
            if operation.into is not None:
                self.entities[operation.kind, operation.into] = None
            if operation.new:
                self.written_down.add((operation.kind, operation.id))

    def _set_aside(self, row: Stored, header: Header, lines: Sequence[Line], *, home: str | None) -> None:
        numbers = [line.n for line in lines]
        held = quarantine.c.sha256 == row.sha256
        self.connection.execute(quarantine.delete().where(held, quarantine.c.n.in_(numbers)))
        waits = [dot(row.dev, row.ep, n) for n in numbers]
        self.connection.execute(waiting.delete().where(waiting.c.dot.in_(waits)))
        keeping.set_aside(
            self.connection,
            [(line, REASON) for line in lines],
            dev=row.dev,
            sha256=row.sha256,
            header=header,
            area=self.areas.id(self.areas.fallback(home)),
            at=self.at,
        )

    def _keep_what_stands_elsewhere(self, row: Stored) -> None:
        """The same line in a batch that stands stays written; another line under one number is a fork no more."""
        same = (batch.c.origin == row.origin, batch.c.unfolded.is_(None))
        span = (batch.c.from_n <= row.to_n, batch.c.to_n >= row.from_n)
        spans = self.connection.execute(sa.select(batch.c.from_n, batch.c.to_n).where(*same, *span)).all()
        shared = {n for a, b in spans for n in range(max(a, row.from_n), min(b, row.to_n) + 1)}
        stored = lines_at(self.connection, {(row.origin, n) for n in shared})
        for place, lines in stored.items():
            for each in lines:
                operation = each.line.operation
                if operation is not None:
                    self.entities[operation.kind, operation.id] = None
                    self.kept[operation.kind, operation.id][place] = lines
        forks = sa.select(fork.c.dot).where(fork.c.dev == row.dev)
        over = []
        for named in self.connection.execute(forks).scalars():
            _, ep, n = parse_dot(named)
            inside = ep == row.ep and row.from_n <= n <= row.to_n
            if inside and len({each.line.raw for each in stored.get((row.origin, n), ())}) < 2:
                over.append(named)
        self.connection.execute(fork.delete().where(fork.c.dot.in_(over)))

    # -- the registers -----------------------------------------------------------------------------------------

    def _fold(self, entities: Iterable[Entity], amend: Callable[[Touched], None] | None) -> None:
        fold = Fold(
            self.connection,
            self.registry,
            areas=self.areas,
            author=NOBODY,
            found=Sorted(),
            at=self.at,
            probe=True,
        )
        fold.run(forks=entities, amend=amend)

    def _amend(self, touched: Touched) -> None:
        joins = joining(self.connection, (entry.key for entry in touched.changed()))
        for entry in touched.changed():
            registers: merge.Registers = {}
            for name, writes in (entry.registers or {}).items():
                left = [write for write in writes if (write.dot, write.line) not in self.taken]
                if left:
                    registers[name] = left
            kept = self.kept[entry.key]
            if kept:
                self._write_again(registers, entry, kept)
            entry.registers = registers
            before = entry.before or {}
            maker = (before.get("origin"), before.get("n"))
            named = bool(joins.get(entry.key))
            entry.gone = not registers and maker in self.places and maker not in kept and not named
            if entry.gone:
                self.gone.add(entry.key)
        came = _came(self.connection, touched, joins)
        for entry in touched.changed():
            _name_the_first(entry, [each[:3] for each in came.get(entry.key, ())])
        self._wait(touched, came)

    def _write_again(
        self, registers: merge.Registers, entry: Entry, kept: Mapping[Place, list[StoredLine]]
    ) -> None:
        lines = [each for found in kept.values() for each in found]
        roles = roles_of(self.connection, {each.dev for each in lines})
        for each in lines:
            operation = each.line.operation
            if operation is not None and (operation.kind, operation.id) == entry.key:
                merge.add(registers, each.writes(roles[each.dev]))

    def _wait(self, touched: Touched, came: Mapping[Entity, Collection[Came]]) -> None:
        """What is left of an entity nobody wrote down any more waits, as if it had come first; so does what stands
        elsewhere and names a parent that never came."""
        rows: list[dict[str, Any]] = []
        for entry in touched.changed():
            lines = {(each.dot, each.line.raw): each.line for each in came.get(entry.key, ())}
            if (entry.key in self.written_down or self.kept[entry.key]) and not any(
                line.operation is not None and line.operation.new for line in lines.values()
            ):
                no_longer = waiting.delete().where(waiting.c.awaited_dev.is_(None))
                kind, identity = short(entry.shape.kind), entry.id
                self.connection.execute(no_longer.where(waiting.c.entity == identity, waiting.c.kind == kind))
                rows += [waits(entry, named, at=self.at) for named, _ in lines]
            for each in {
                (e.dot, e.line.raw): e for found in self.kept[entry.key].values() for e in found
            }.values():
                rows += self._orphan(entry, each)
        if rows:
            self.connection.execute(waiting.insert(), rows)

    def _orphan(self, entry: Entry, each: StoredLine) -> list[dict[str, Any]]:
        operation = each.line.operation
        if operation is None or (operation.kind, operation.id) != entry.key:
            return []
        author = replace(NOBODY, dev=each.dev, ep=each.ep, first=each.line.n, last=each.line.n)
        parents = parents_of(entry, operation, n=each.line.n, author=author)
        found = missing_parents(self.connection, parents, author=author, at=self.at)
        return [row for _, row in found]

    def _left_behind(self) -> list[Entity]:
        """Who lived in a household of which nothing stands: to be placed as those whose household never came."""
        found: list[Entity] = []
        for kind in self.registry.leaders:
            ids = [identity for of, identity in self.gone if of == kind]
            for shape in self.registry.followers(kind) if ids else ():
                column = shape.table.c[shape.projection.follows or ""]
                query = sa.select(shape.table.c.id).where(column.in_(ids))
                found += [(shape.kind, each) for each in self.connection.execute(query).scalars()]
        return found
