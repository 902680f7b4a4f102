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
from app.ledger.lines import StoredLine, lines_at
from app.ledger.merging import joining, part
from app.ledger.projection import Registry, short
from app.ledger.revocation import REASON
from app.ledger.senders import homes_of, roles_of
from app.ledger.sorting import Sorted
from app.ledger.tables import batch, brought, fork, origin, quarantine, waiting
from app.ledger.trays import missing_parents, parents_of, waits
from sync import merge
from sync.ledger import refusal
from sync.protocol import Line, dot, parse_dot

NOBODY = Author("", 0, 0, "", None, None, 0, 0)
Place = tuple[int, int]
Position = tuple[int, int]


class Leaving(NamedTuple):
    """A batch that stands no more: its operation numbers that are here, its lines that fall, and who wrote them. Of a
    batch of which the province told that is what it brought."""

    origin: int
    dev: str
    ep: int
    sha256: str
    numbers: Sequence[int]
    role: str
    lines: Sequence[Line]


class Came(NamedTuple):
    """An operation that stands: when it came, its number and origin here, its dot and line."""

    came: Position
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
            Came(each.came, each.line.n, places[named][0], named, each.line)
            for named in held & places.keys()
            for each in stored.get(places[named], ())
            if (operation := each.line.operation) is not None
            and operation.kind == key[0]
            and key[1] in (operation.id, operation.into)
        ]
        for key, held in dots.items()
    }


def _name_the_first(entry: Entry, came: Iterable[tuple[Position, int, int]]) -> None:
    """Let a row name, as every other row does, the operation that came first among those that stand."""
    first = min(came, default=None)
    if first is not None and entry.before is not None:
        entry.before = {**entry.before, "origin": first[2], "n": first[1]}


def amend_return(
    connection: sa.Connection, touched: Touched, *, local: int, came_at: Callable[[int], Position]
) -> None:
    """Before lines of an origin are folded again: rows they came before name them as their first. `came_at(n)` is when
    a line first came."""
    came = _came(connection, touched, joining(connection, (entry.key for entry in touched.changed())))
    for entry in touched.changed():
        if entry.before is not None and (entry.operations or entry.named):
            numbers = [*entry.named, *(n for n, _, _ in entry.operations)]
            again = [(came_at(n), n, local) for n in numbers]
            _name_the_first(entry, [*again, *(each[:3] for each in came[entry.key])])


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

    def run(self, batches: Collection[Leaving]) -> set[str]:
        """Take these batches, which are marked as left out already, out of every register; gives the devices something
        is said of in them."""
        homes = homes_of(self.connection, {each.dev for each in batches}, commune_of=self.areas.commune)
        for each in batches:
            self._take_out(each)
            self._set_aside(each, home=homes[each.dev])
        for each in batches:
            self._keep_what_stands_elsewhere(each)
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

    def _take_out(self, leaving: Leaving) -> None:
        for line in leaving.lines:
            operation = line.operation
            if operation is None or refusal(operation, role=leaving.role) is not None:
                continue
            self.places.add((leaving.origin, line.n))
            self.taken.add((dot(leaving.dev, leaving.ep, line.n), hashlib.sha256(line.raw).hexdigest()))
            self.entities[operation.kind, operation.id] = None
            if operation.into is not None:
                self.entities[operation.kind, operation.into] = None
            if operation.new:
                self.written_down.add((operation.kind, operation.id))

    def _set_aside(self, leaving: Leaving, *, home: str | None) -> None:
        numbers = [line.n for line in leaving.lines]
        held = quarantine.c.sha256 == leaving.sha256
        self.connection.execute(quarantine.delete().where(held, quarantine.c.n.in_(numbers)))
        waits = [dot(leaving.dev, leaving.ep, n) for n in numbers]
        self.connection.execute(waiting.delete().where(waiting.c.dot.in_(waits)))
        keeping.set_aside(
            self.connection,
            [(line, REASON) for line in leaving.lines],
            dev=leaving.dev,
            sha256=leaving.sha256,
            ep=leaving.ep,
            area=self.areas.id(self.areas.fallback(home)),
            at=self.at,
        )

    def _keep_what_stands_elsewhere(self, leaving: Leaving) -> None:
        """The same line in a batch that stands stays written; another line under one number is a fork no more."""
        numbers, first, last = leaving.numbers, min(leaving.numbers), max(leaving.numbers)
        same = (batch.c.origin == leaving.origin, batch.c.unfolded.is_(None))
        span = (batch.c.from_n <= last, batch.c.to_n >= first)
        held = sa.select(batch.c.from_n, batch.c.to_n).where(*same, *span)
        within = (brought.c.origin == leaving.origin, brought.c.n.between(first, last))
        spans = self.connection.execute(held.union(sa.select(brought.c.n, brought.c.n).where(*within))).all()
        shared = {n for a, b in spans for n in range(max(a, first), min(b, last) + 1) if n in numbers}
        stored = lines_at(self.connection, {(leaving.origin, n) for n in shared})
        for place, lines in stored.items():
            for each in lines:
                operation = each.line.operation
                if operation is not None:
                    self.entities[operation.kind, operation.id] = None
                    self.kept[operation.kind, operation.id][place] = lines
        forks = sa.select(fork.c.dot).where(fork.c.dev == leaving.dev)
        over = []
        for named in self.connection.execute(forks).scalars():
            _, ep, n = parse_dot(named)
            lines = stored.get((leaving.origin, n), [])
            if ep == leaving.ep and n in numbers and len({each.line.raw for each in lines}) < 2:
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
