"""The rows of a folded batch: inserted and updated with their area numbers, counted in the rollups, departures noted.
Knows neither lines nor merging."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from app.ledger import bulk
from app.ledger.areas import Areas
from app.ledger.entry import Author, Entity, Entry, Touched
from app.ledger.projection import STANDING, Registry, Shape, short
from app.ledger.tables import departure, other
from sync import merge

FINAL_COLUMNS = ("area", "seq", "rev", "registers")
Row = tuple[Any, ...]
Numbers = Mapping[str, tuple[int, int]]


class Writing:
    """The writes of one batch. `contested`: entities that share a number only one row may hold → (column, area)."""

    def __init__(
        self, connection: sa.Connection, registry: Registry, *, areas: Areas, author: Author
    ) -> None:
        self.connection = connection
        self.registry = registry
        self.areas = areas
        self.author = author
        self.contested: dict[Entity, tuple[str, int]] = {}
        self._cells: dict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
        self._departures: list[dict[str, Any]] = []
        self._revs: dict[str, int] = {}

    def write(self, touched: Touched, *, probe: bool) -> None:
        """Write all rows. Without `probe` creations are inserted unseen: sa.exc.IntegrityError on a key taken."""
        areas = {entry.area for entry in touched}
        areas |= {area for block in touched.blocks.values() for area in (*block.placed, *block.texts)}
        areas |= {self.areas.code(e.before["area"]) for e in touched.changed() if e.before is not None}
        numbers = self.areas.advance(self.connection, areas)
        self._read_revs(touched, probe=probe)
        self._insert_blocks(touched, numbers)
        self._insert_creations(touched, numbers, probe=probe)
        self._write_changes(touched, numbers)
        if self._departures:
            self.connection.execute(departure.insert(), self._departures)
        for name, cells in self._cells.items():
            bulk.add_cells(self.connection, self.registry.rollups[name], cells)

    def _insert_blocks(self, touched: Touched, numbers: Numbers) -> None:
        for block in touched.blocks.values():
            table, columns, origin = block.shape.table, block.columns, self.author.origin
            for area, heads in block.placed.items():
                tail = (origin, *numbers[area], 1, None)
                bulk.insert_alike(self.connection, table, columns=columns, heads=heads, tail=tail)
            for area, (_, text) in block.texts.items():
                tail = (origin, *numbers[area], 1, None)
                bulk.copy_alike(self.connection, table, columns=columns, text=text, tail=tail)
            for name, cells in block.cells.items():
                self._cells[name].update(cells)

    def _insert_creations(self, touched: Touched, numbers: Numbers, *, probe: bool) -> None:
        origin, cells_of = self.author.origin, self.registry.cells
        for kind, made in touched.creations.items():
            if not made:
                continue
            shape = next(iter(made.values())).shape
            rows = []
            for entry in made.values():
                area, seq = numbers[entry.area]
                rev = self._revs.get(entry.id, 0) + 1
                rows.append((*entry.row, origin, entry.operations[0][0], area, seq, rev, None))
                for name, key, count in cells_of(kind, entry.clean, entry.area):
                    self._cells[name][key] += count
            if shape.projection.yielding and probe:
                rows = self._yield(shape, rows)
            bulk.insert_rows(self.connection, shape.table, columns=shape.order, rows=rows)

    def _write_changes(self, touched: Touched, numbers: Numbers) -> None:
        for kind, changes in touched.changes.items():
            if not changes:
                continue
            fresh: list[Row] = []
            edited: list[Row] = []
            shape = next(iter(changes.values())).shape
            for entry in changes.values():
                self._count(kind, entry)
                if not entry.gone:
                    (fresh if entry.before is None else edited).append(self._changed_row(entry, numbers))
                    self._stays_contested(entry)
            self._delete(shape, [entry for entry in changes.values() if entry.gone], numbers)
            if shape.projection.yielding:
                fresh = self._yield(shape, fresh)
            columns = (*shape.order, *STANDING)
            bulk.insert_rows(self.connection, shape.table, columns=columns, rows=fresh)
            self._update(shape, edited)

    def _changed_row(self, entry: Entry, numbers: Numbers) -> Row:
        area, seq = numbers[entry.area]
        before = entry.before
        registers = (
            orjson.dumps(merge.pack(entry.registers)).decode() if entry.registers is not None else None
        )
        if before is None:
            first = entry.operations[0][0] if entry.operations else entry.named[0]
            rev = self._revs.get(entry.id, 0) + 1
            return _row(entry, (self.author.origin, first, area, seq, rev, registers))
        if entry.moved:
            registers = before["registers"]
        rev = before["rev"] + 1
        if before["area"] != area:
            # The row in its new area is newer than the line that says it left: a client may read them in either order.
            rev += 1
            self._leave(entry, before, numbers)
        return _row(entry, (before["origin"], before["n"], area, seq, rev, registers))

    def _leave(self, entry: Entry, before: Mapping[str, Any], numbers: Numbers) -> None:
        left = numbers[self.areas.code(before["area"])][1]
        gone = {"area": before["area"], "seq": left, "id": entry.id, "kind": short(entry.shape.kind)}
        self._departures.append(gone | {"rev": before["rev"] + 1})

    def _delete(self, shape: Shape, entries: list[Entry], numbers: Numbers) -> None:
        """Rows of which nothing stands: they leave their area, and may come back."""
        for entry in entries:
            if entry.before is not None:
                self._leave(entry, entry.before, numbers)
        if entries:
            rows = shape.table.delete().where(shape.table.c.id.in_([entry.id for entry in entries]))
            if shape.table is other:
                rows = rows.where(other.c.kind == short(shape.kind))
            self.connection.execute(rows)

    def _read_revs(self, touched: Touched, *, probe: bool) -> None:
        """The last `rev` of rows that come back: what a tablet still holds of them must not look newer."""
        ids = [entry.id for entry in touched.changed() if entry.before is None]
        if probe:
            ids += [identity for made in touched.creations.values() for identity in made]
        if ids:
            query = sa.select(departure.c.id, sa.func.max(departure.c.rev)).where(departure.c.id.in_(ids))
            found = self.connection.execute(query.group_by(departure.c.id))
            self._revs = dict(found.all())

    def _count(self, kind: str, entry: Entry) -> None:
        cells_of, clean = self.registry.cells, entry.clean
        if entry.before is not None and entry.was_counted:
            before = entry.shape.clean_values(entry.before)
            for name, key, count in cells_of(kind, before, self.areas.code(entry.before["area"])):
                self._cells[name][key] -= count
            if entry.shape.projection.final:
                clean = before
        for name, key, count in cells_of(kind, clean, entry.area) if entry.counted and not entry.gone else ():
            self._cells[name][key] += count

    def _update(self, shape: Shape, rows: list[Row]) -> None:
        every = (*shape.order, *STANDING)
        columns = FINAL_COLUMNS if shape.projection.final else every[1:]
        places = [every.index(c) for c in columns]
        key = ("id", "kind") if shape.table is other else ("id",)
        tail = (short(shape.kind),) if shape.table is other else ()
        values = [(*(row[p] for p in places), row[0], *tail) for row in rows]
        bulk.update_rows(self.connection, shape.table, columns=columns, rows=values, key=key)

    # -- numbers only one row may hold -------------------------------------------------------------------------

    def _yield(self, shape: Shape, rows: list[Row]) -> list[Row]:
        """Of two rows with one unique derived key the later gives it up; both stay, and both are listed."""
        name = shape.projection.yielding or ""
        place, area = shape.order.index(name), shape.order.index("area")
        keys = [row[place] for row in rows if row[place] is not None]
        table = shape.table
        holders: dict[str, tuple[str, int]] = {}
        if keys:
            query = sa.select(table.c[name], table.c.id, table.c.area).where(table.c[name].in_(keys))
            holders = {row[0]: (row[1], row[2]) for row in self.connection.execute(query)}
        kept = []
        for row in rows:
            if row[place] is not None:
                holder = holders.setdefault(row[place], (row[0], row[area]))
                if holder[0] != row[0]:
                    self.contested[shape.kind, holder[0]] = (name, holder[1])
                    self.contested[shape.kind, row[0]] = (name, row[area])
                    row = (*row[:place], None, *row[place + 1 :])
            kept.append(row)
        return kept

    def _stays_contested(self, entry: Entry) -> None:
        """A row that gave its number up keeps being listed when it is folded again."""
        name, before = entry.shape.projection.yielding, entry.before
        if name is None or before is None or before[name] is not None:
            return
        if entry.shape.projection.derived[name](entry.shape.clean_values(before)) is not None:
            self.contested[entry.key] = (name, before["area"])


def _row(entry: Entry, system: tuple[Any, ...]) -> Row:
    """The whole row of a changed entity; where it is away its fields are empty and its writes stay."""
    values, extra = ({}, {}) if entry.away else (entry.clean, entry.extra)
    row = entry.shape.row(entry.id, values, extra=extra, system=system)
    return (*row, entry.void or None, entry.merged_into)
