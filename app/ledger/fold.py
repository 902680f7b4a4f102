"""One batch folded into the register tables: which rows it makes or changes, their areas, numbers, rollup cells,
conflicts and what waits. The rules of merging are in sync.merge; here is only where their results are kept."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from app.ledger import bulk, trays
from app.ledger.areas import Areas
from app.ledger.lines import creation_writes
from app.ledger.projection import Cell, Projection, Shape, Values, short
from app.ledger.tables import departure, fork, other
from sync import merge
from sync.catalogue import register_of
from sync.ledger import refusal
from sync.protocol import Line, Operation, dot

Disposition = dict[str, Any]
Entity = tuple[str, str]
FOLDED_ACTS = frozenset({"set", "resolve"})
FINAL_COLUMNS = ("area", "seq", "rev", "registers")


@dataclass(frozen=True, slots=True)
class Author:
    """Who signed the batch being folded: device, epoch, local origin number, role and commune of the grant, and the
    operation numbers the batch spans."""

    dev: str
    ep: int
    origin: int
    role: str
    commune: str | None
    by: str | None
    first: int
    last: int


@dataclass(frozen=True)
class Registry:
    """All kinds the server keeps in tables, what they count for, and the rollup tables the cells go to."""

    shapes: dict[str, Shape]
    cells: Cell
    rollups: Mapping[str, sa.Table]
    codes: Mapping[str, frozenset[str]]

    def shape(self, kind: str) -> Shape:
        """The shape of a kind; an unknown kind has no table of its own and lives in `other`."""
        found = self.shapes.get(kind)
        if found is None:
            name = short(kind)
            projection = Projection(kind, other, derived={"kind": lambda _values, name=name: name})  # type: ignore[misc]
            found = Shape(projection, self.codes, kind=kind)
        return found

    def followers(self, kind: str) -> list[Shape]:
        """Shapes whose area is that of an entity of this kind."""
        return [s for s in self.shapes.values() if s.projection.followed == kind]


@dataclass(slots=True)
class Entry:
    """One entity this batch touches: its stored row if any, the operations, and the state after folding them."""

    shape: Shape
    id: str
    operations: list[tuple[int, Operation, bytes]]
    before: Mapping[str, Any] | None = None
    registers: merge.Registers | None = None
    clean: Values = field(default_factory=dict)
    extra: Values = field(default_factory=dict)
    area: str = ""
    moved: bool = False


class Fold:
    """The fold of one batch. `run` may be called again on a fresh object with `probe=True` when an optimistic insertion
    met a key that exists already."""

    def __init__(
        self,
        connection: sa.Connection,
        registry: Registry,
        areas: Areas,
        author: Author,
        *,
        at: str,
        probe: bool,
    ) -> None:
        self.connection = connection
        self.registry = registry
        self.areas = areas
        self.author = author
        self.at = at
        self.probe = probe
        self.dispositions: dict[str, Disposition] = {}
        self.quarantined: list[tuple[Line, str]] = []
        self.creations: dict[str, dict[str, Entry]] = defaultdict(dict)
        self.changes: dict[str, dict[str, Entry]] = defaultdict(dict)
        self.cells: dict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
        self.departures: list[dict[str, Any]] = []
        self.contested: list[tuple[Entry, str]] = []
        self._forked_dots: frozenset[str] | None = None

    # -- reading the lines -------------------------------------------------------------------------------------

    def run(self, lines: Iterable[Line], *, skip: Mapping[int, Disposition], forks: Iterable[Entity]) -> None:
        """Fold the lines; `skip` are numbers already held (duplicates), `forks` entities whose held line is now contested."""
        self._sort(lines, skip)
        self._load(forks)
        for kind in list(self.changes):
            for entry in self.changes[kind].values():
                self._merge(entry)
        for made in self.creations.values():
            for entry in made.values():
                entry.clean, entry.extra = entry.shape.split(merge.first_values(entry.operations[0][1]))
        self._place()
        self._write()
        self._list_conflicts()
        self._list_waiting()

    def _sort(self, lines: Iterable[Line], skip: Mapping[int, Disposition]) -> None:
        role, dispositions = self.author.role, self.dispositions
        shapes: dict[str, Shape] = {}
        for line in lines:
            operation = line.operation
            reason = (line.reason or "unreadable") if operation is None else refusal(operation, role=role)
            if (known := skip.get(line.n)) is not None:
                dispositions[str(line.n)] = known
                if known["status"] == "duplicate":
                    continue
            if reason is not None or operation is None:
                self.quarantined.append((line, reason or "unreadable"))
                dispositions[str(line.n)] = {"status": "quarantined", "reason": reason}
                continue
            if operation.act not in FOLDED_ACTS:
                dispositions[str(line.n)] = {"status": "deferred", "reason": "act_kept_for_later"}
                continue
            shape = shapes.get(operation.kind) or shapes.setdefault(
                operation.kind, self.registry.shape(operation.kind)
            )
            self._enter(shape, operation, line)

    def _enter(self, shape: Shape, operation: Operation, line: Line) -> None:
        kind, identity = operation.kind, operation.id
        step = (line.n, operation, line.raw)
        made = self.creations[kind]
        changed = self.changes[kind].get(identity)
        if changed is not None:
            changed.operations.append(step)
        elif operation.new and identity not in made and not operation.par and operation.ev == "declared":
            made[identity] = Entry(shape, identity, [step])
        else:
            first = made.pop(identity, None)
            self.changes[kind][identity] = Entry(
                shape, identity, [*(first.operations if first else ()), step]
            )

    def _load(self, forks: Iterable[Entity]) -> None:
        for kind, identity in forks:
            first = self.creations[kind].pop(identity, None)
            steps = first.operations if first else []
            self.changes[kind].setdefault(identity, Entry(self.registry.shape(kind), identity, steps))
        if self.probe:
            self._probe()
        for changes in self.changes.values():
            if changes:
                shape = next(iter(changes.values())).shape
                rows = bulk.rows_by_id(self.connection, shape.table, changes, **self._only(shape))
                for identity, entry in list(changes.items()):
                    entry.before = rows.get(identity)
                    if entry.before is None and not entry.operations:
                        del changes[identity]
        self._expand()

    def _probe(self) -> None:
        for kind, made in self.creations.items():
            if made:
                shape = next(iter(made.values())).shape
                for identity in bulk.rows_by_id(self.connection, shape.table, made, **self._only(shape)):
                    self.changes[kind][identity] = made.pop(identity)

    @staticmethod
    def _only(shape: Shape) -> dict[str, str]:
        return {"kind": short(shape.kind)} if shape.table is other else {}

    # -- merging -----------------------------------------------------------------------------------------------

    def _expand(self) -> None:
        """Give every changed entity its complete set of writes: stored, or read again from the one line that made it."""
        unedited: list[Entry] = []
        for changes in self.changes.values():
            for entry in changes.values():
                if entry.before is None:
                    entry.registers = {}
                elif entry.before["registers"] is None:
                    unedited.append(entry)
                else:
                    entry.registers = merge.unpack(orjson.loads(entry.before["registers"]))
        if unedited:
            found = creation_writes(
                self.connection,
                [(e.shape.kind, e.id, e.before["origin"], e.before["n"]) for e in unedited if e.before],
            )
            for entry in unedited:
                entry.registers = found[entry.shape.kind, entry.id]

    def _merge(self, entry: Entry) -> None:
        author = self.author
        registers = entry.registers if entry.registers is not None else {}
        for n, operation, raw in entry.operations:
            named = dot(author.dev, author.ep, n)
            line = hashlib.sha256(raw).hexdigest()
            writes = merge.writes_of(
                operation, dot=named, dev=author.dev, ep=author.ep, by=author.by, role=author.role, line=line
            )
            merge.add(registers, writes)
            if not operation.new and entry.before is None and not any(o.new for _, o, _ in entry.operations):
                self.dispositions.setdefault(str(n), {"status": "deferred", "reason": "entity_not_arrived"})
        entry.registers = registers
        entry.clean, entry.extra = entry.shape.split(merge.show(entry.shape.kind, registers, self._forked()))

    def _forked(self) -> frozenset[str]:
        if self._forked_dots is None:
            self._forked_dots = frozenset(self.connection.execute(sa.select(fork.c.dot)).scalars())
        return self._forked_dots

    # -- places ------------------------------------------------------------------------------------------------

    def _entries(self) -> Iterable[Entry]:
        for group in (self.creations, self.changes):
            for entries in group.values():
                yield from entries.values()

    def _place(self) -> None:
        """Give every entity its area; entities that follow another one need that one's area first."""
        fallback = self.areas.fallback(self.author.commune)
        following: list[Entry] = []
        for entry in self._entries():
            projection = entry.shape.projection
            area = projection.area(entry.clean, self.author.commune)
            if area is None and projection.follows and entry.clean.get(projection.follows):
                following.append(entry)
            else:
                entry.area = area or self._kept_area(entry) or fallback
        elsewhere = self._areas_elsewhere(following)
        for entry in following:
            projection = entry.shape.projection
            target = (projection.followed or "", entry.clean[projection.follows or ""])
            leader = self.creations[target[0]].get(target[1]) or self.changes[target[0]].get(target[1])
            entry.area = (
                (leader.area if leader else elsewhere.get(target)) or self._kept_area(entry) or fallback
            )
        self._bring_followers()

    def _kept_area(self, entry: Entry) -> str | None:
        """Where nothing says better, an entity stays in the fallback area it was first put in."""
        return (
            self.areas.code(entry.before["area"])
            if entry.before is not None and self.areas.is_fallback(entry.before["area"])
            else None
        )

    def _areas_elsewhere(self, following: Iterable[Entry]) -> dict[Entity, str]:
        wanted: dict[str, set[str]] = defaultdict(set)
        for entry in following:
            followed, target = (
                entry.shape.projection.followed or "",
                entry.clean[entry.shape.projection.follows or ""],
            )
            if target not in self.creations[followed] and target not in self.changes[followed]:
                wanted[followed].add(target)
        found: dict[Entity, str] = {}
        for kind, ids in wanted.items():
            table = self.registry.shapes[kind].table
            for identity, area in self.connection.execute(
                sa.select(table.c.id, table.c.area).where(table.c.id.in_(ids))
            ):
                found[kind, identity] = self.areas.code(area)
        return found

    def _bring_followers(self) -> None:
        """Members of a household that came late or moved take its area with it."""
        for kind in [k for k in self.registry.shapes if self.registry.followers(k)]:
            leaders = {e.id: e.area for e in self.creations[kind].values()}
            leaders.update((e.id, e.area) for e in self.changes[kind].values())
            if not leaders:
                continue
            for shape in self.registry.followers(kind):
                column = shape.table.c[shape.projection.follows or ""]
                for row in self.connection.execute(
                    sa.select(shape.table).where(column.in_(leaders))
                ).mappings():
                    self._follow(shape, dict(row), leaders)

    def _follow(self, shape: Shape, row: Mapping[str, Any], leaders: Mapping[str, str]) -> None:
        identity = row["id"]
        if identity in self.changes[shape.kind] or identity in self.creations[shape.kind]:
            return
        clean = shape.clean_values(row)
        area = (
            shape.projection.area(clean, self.author.commune) or leaders[row[shape.projection.follows or ""]]
        )
        if self.areas.code(row["area"]) != area:
            extra = orjson.loads(row["extra"]) if row["extra"] else {}
            self.changes[shape.kind][identity] = Entry(
                shape, identity, [], row, None, clean, extra, area, moved=True
            )

    # -- writing -----------------------------------------------------------------------------------------------

    def _write(self) -> None:
        touched = {entry.area for entry in self._entries()}
        touched |= {self.areas.code(e.before["area"]) for e in self._entries() if e.before is not None}
        numbers = self.areas.advance(self.connection, touched)
        self._insert_creations(numbers)
        self._write_changes(numbers)
        if self.departures:
            self.connection.execute(departure.insert(), self.departures)
        for name, cells in self.cells.items():
            bulk.add_cells(self.connection, self.registry.rollups[name], cells)

    def _insert_creations(self, numbers: Mapping[str, tuple[int, int]]) -> None:
        origin, cells_of = self.author.origin, self.registry.cells
        for kind, made in self.creations.items():
            if not made:
                continue
            shape = next(iter(made.values())).shape
            rows = []
            for entry in made.values():
                area, seq = numbers[entry.area]
                rows.append(
                    shape.row(
                        entry.id,
                        entry.clean,
                        entry.extra,
                        (origin, entry.operations[0][0], area, seq, 1, None),
                    )
                )
                for name, key, count in cells_of(kind, entry.clean, entry.area):
                    self.cells[name][key] += count
            if shape.projection.yielding and self.probe:
                rows = self._yield(shape, rows)
            bulk.insert_rows(self.connection, shape.table, shape.order, rows)

    def _write_changes(self, numbers: Mapping[str, tuple[int, int]]) -> None:
        for kind, changes in self.changes.items():
            fresh: list[tuple[Any, ...]] = []
            edited: list[tuple[Any, ...]] = []
            shape: Shape | None = None
            for entry in changes.values():
                shape = entry.shape
                row = self._changed_row(entry, numbers)
                if entry.before is None:
                    fresh.append(row)
                else:
                    edited.append(row)
                self._count(kind, entry)
            if shape is not None:
                if shape.projection.yielding:
                    fresh = self._yield(shape, fresh)
                bulk.insert_rows(self.connection, shape.table, shape.order, fresh)
                self._update(shape, edited)

    def _changed_row(self, entry: Entry, numbers: Mapping[str, tuple[int, int]]) -> tuple[Any, ...]:
        area, seq = numbers[entry.area]
        before = entry.before
        registers = (
            orjson.dumps(merge.pack(entry.registers)).decode() if entry.registers is not None else None
        )
        if before is None:
            system = (self.author.origin, entry.operations[0][0], area, seq, 1, registers)
            return entry.shape.row(entry.id, entry.clean, entry.extra, system)
        if entry.moved:
            registers = before["registers"]
        rev = before["rev"] + 1
        if before["area"] != area:
            left = self.areas.code(before["area"])
            gone = {
                "area": before["area"],
                "seq": numbers[left][1],
                "id": entry.id,
                "kind": entry.shape.kind,
                "rev": rev,
            }
            self.departures.append(gone)
        return entry.shape.row(
            entry.id, entry.clean, entry.extra, (before["origin"], before["n"], area, seq, rev, registers)
        )

    def _count(self, kind: str, entry: Entry) -> None:
        if entry.before is not None:
            before = entry.shape.clean_values(entry.before)
            for name, key, count in self.registry.cells(kind, before, self.areas.code(entry.before["area"])):
                self.cells[name][key] -= count
            if entry.shape.projection.final:
                for name, key, count in self.registry.cells(kind, before, entry.area):
                    self.cells[name][key] += count
                return
        for name, key, count in self.registry.cells(kind, entry.clean, entry.area):
            self.cells[name][key] += count

    def _yield(self, shape: Shape, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Of two rows with one unique derived key the later gives it up; both stay, and the later is listed."""
        name = shape.projection.yielding or ""
        place = shape.order.index(name)
        keys = [row[place] for row in rows if row[place] is not None]
        column = shape.table.c[name]
        taken = (
            set(self.connection.execute(sa.select(column).where(column.in_(keys))).scalars())
            if keys
            else set()
        )
        kept = []
        for row in rows:
            if row[place] is not None and row[place] in taken:
                entry = self.changes[shape.kind].get(row[0]) or self.creations[shape.kind][row[0]]
                self.contested.append((entry, name))
                row = (*row[:place], None, *row[place + 1 :])
            taken.add(row[place])
            kept.append(row)
        return kept

    def _update(self, shape: Shape, rows: list[tuple[Any, ...]]) -> None:
        columns = FINAL_COLUMNS if shape.projection.final else shape.order[1:]
        places = [shape.order.index(c) for c in columns]
        key = ("id", "kind") if shape.table is other else ("id",)
        tail = (short(shape.kind),) if shape.table is other else ()
        bulk.update_rows(
            self.connection,
            shape.table,
            columns,
            [(*(row[p] for p in places), row[0], *tail) for row in rows],
            key=key,
        )

    # -- trays -------------------------------------------------------------------------------------------------

    def _list_conflicts(self) -> None:
        edited = [e for changes in self.changes.values() for e in changes.values() if not e.moved]
        if not edited and not self.contested:
            return
        open_now = {
            (e.shape.kind, e.id): trays.conflicts_of(e.shape.kind, e.registers or {}, self._forked())
            for e in edited
        }
        for entry in edited:
            for n, operation, _ in entry.operations:
                names = {register_of(operation.kind, name).name for name in operation.set}
                fields = sorted(names & set(open_now[entry.shape.kind, entry.id]))
                if fields:
                    self.dispositions.setdefault(str(n), {"status": "conflict", "fields": fields})
        for entry, name in self.contested:
            open_now.setdefault((entry.shape.kind, entry.id), {})[name] = 1
        places = {
            (e.shape.kind, e.id): self.areas.id(e.area) for e in [*edited, *(e for e, _ in self.contested)]
        }
        trays.replace_conflicts(self.connection, open_now, places, at=self.at)

    def _list_waiting(self) -> None:
        edited = [e for changes in self.changes.values() for e in changes.values() if e.operations]
        listed = trays.list_waiting(self.connection, edited, self.author, self.dispositions, at=self.at)
        for n in listed:
            self.dispositions.setdefault(str(n), {"status": "deferred", "reason": "parent_not_arrived"})
