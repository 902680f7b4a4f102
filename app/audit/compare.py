"""Every register row against what the operations say. Entities written once (nearly all) are compared as their batch
passes and forgotten; only those written several times are kept in memory, as their operations, until the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import orjson
import sqlalchemy as sa

from app.audit import refold
from app.audit.figures import Recount
from app.audit.refold import WRITES, Registers, Told
from app.audit.report import Findings, said
from app.audit.shapes import (
    AREA,
    DOUBTFUL,
    EXTRA,
    MERGED,
    ORIGIN,
    OTHER,
    REGISTERS,
    TABLES,
    VOIDED,
    N,
    Shape,
    Values,
    due_area,
    fallback_area,
    followed,
    number_key,
    object_of,
    reflect,
    same_extra,
    short,
)
from app.audit.standing import Concerned, concerned
from app.audit.trust import Trust

WINDOW = 4000
CHUNK = 1000
Row = sa.Row[Any]
OpenCase = tuple[str, str, str]
Find = Callable[[int, int], Iterable[Told]]


def make_shapes(connection: sa.Connection, codes: Mapping[str, Collection[str]]) -> dict[str, Shape]:
    """The shape of every kind that has a table."""
    return {kind: Shape(kind, reflect(connection, name), codes=codes) for kind, name in TABLES.items()}


class Comparison:
    """Takes operations in order of arrival, compares, counts for the rollups; `finish` compares what it kept."""

    def __init__(
        self,
        connection: sa.Connection,
        shapes: dict[str, Shape],
        *,
        trust: Trust,
        findings: Findings,
        recount: Recount,
    ) -> None:
        self.connection = connection
        self.shapes = shapes
        self.other = Shape(OTHER, reflect(connection, OTHER), codes={})
        self.trust = trust
        self.findings = findings
        self.recount = recount
        self.areas = {row.id: row.code for row in connection.execute(sa.text("SELECT id, code FROM area"))}
        self._codes = frozenset(self.areas.values())
        self._window: dict[str, list[Told]] = defaultdict(list)
        self._waiting = 0
        self.kept: dict[str, dict[str, list[Told]]] = {name: {} for name in [*shapes, OTHER]}
        self.confirmed: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()
        self.yielded: list[tuple[str, str, int]] = []
        self.open_cases: dict[OpenCase, int] = {}
        self.homes: dict[tuple[str, str], str] = {}

    @property
    def entities(self) -> int:
        """How many entities the operations speak of."""
        return sum(self.confirmed.values()) + sum(map(len, self.kept.values()))

    def shape(self, kind: str) -> Shape:
        """The shape of a kind; all kinds without a table share one."""
        return self.shapes.get(kind, self.other)

    # -- while the batches pass --------------------------------------------------------------------------------

    def take(self, told: Told, *, contested: bool) -> None:
        """One operation to be folded; `contested`: its number stands in several batches."""
        if contested:
            self._keep(self.shape(told.operation.kind), told)
            return
        self._window[self.shape(told.operation.kind).kind].append(told)
        self._waiting += 1
        if self._waiting >= WINDOW:
            self.flush()

    def flush(self) -> None:
        """Compare what was taken with the rows as they are."""
        for kind, tolds in self._window.items():
            shape = self.shape(kind)
            rows = self._rows(shape, [told.operation.id for told in tolds])
            for told in tolds:
                row = rows.get(shape.key(told.operation.id, told.operation.kind))
                if row is None or not self._is_sole(row, told):
                    self._keep(shape, told)
                else:
                    self.confirmed[shape.kind] += 1
                    values = refold.fields_of(told.operation.kind, refold.written(told.operation))
                    clean = self._compare(shape, row, values, [told])
                    self.count(told.operation.kind, row, clean=clean)
        self._window.clear()
        self._waiting = 0

    def _keep(self, shape: Shape, told: Told) -> None:
        key = shape.key(told.operation.id, told.operation.kind)
        self.kept[shape.kind].setdefault(key, []).append(told)

    def _rows(self, shape: Shape, ids: Iterable[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        wanted = iter(dict.fromkeys(ids))
        while chunk := list(islice(wanted, CHUNK)):
            for row in self.connection.execute(shape.query().where(shape.table.c.id.in_(chunk))):
                found[shape.key_of(row)] = row
        return found

    @staticmethod
    def _is_sole(row: Row, told: Told) -> bool:
        """Whether the row says it is exactly this operation."""
        if row[ORIGIN] != told.origin or row[N] != told.n or told.operation.act not in WRITES:
            return False
        if row[VOIDED] or row[MERGED] is not None:
            return False
        if row[REGISTERS] is None:
            return True
        writes = {name: [write] for name, write in sorted(refold.writes_of(told).items())}
        return bool(row[REGISTERS] == refold.packed(writes))

    # -- one row -----------------------------------------------------------------------------------------------

    def _compare(
        self,
        shape: Shape,
        row: Row,
        values: Mapping[str, Any],
        tolds: list[Told],
        *,
        final: Values | None = None,
    ) -> Values:
        """Compare columns and area of a row, give its clean values; its area goes by `final` where those are others."""
        kind = tolds[0].operation.kind
        clean = self.compare_values(shape, kind, row=row, values=values)
        if shape.numbered:
            self._check_number(row, clean, tolds[0].batch)
        self.check_area(kind, row, clean=clean if final is None else final, tolds=tolds)
        return clean

    def compare_values(self, shape: Shape, kind: str, *, row: Row, values: Mapping[str, Any]) -> Values:
        """Compare the columns of a row with what it must show; gives its clean values."""
        clean, extra = shape.split(values)
        cells = shape.cells(clean)
        if row[shape.body] != cells:
            self._differs(shape, kind, row, cells)
        if not same_extra(row[EXTRA], extra):
            text = said(orjson.dumps(extra).decode() if extra else None)
            self.say(
                kind, row, text=f"extra vaut {said(row[EXTRA])} dans la table, {text} d'après les opérations"
            )
        if row[DOUBTFUL] != (doubtful := shape.names_doubtful(extra)):
            text = f"{said(row[DOUBTFUL])} dans la table, {said(doubtful)} d'après les opérations"
            self.say(kind, row, text=f"doubtful vaut {text}")
        return clean

    def count(self, kind: str, row: Row, *, clean: Values) -> None:
        """Count one entity for the rollups."""
        self.recount.add(kind, clean, area=self.areas.get(row[AREA], ""))

    def _differs(self, shape: Shape, kind: str, row: Row, cells: tuple[Any, ...]) -> None:
        names = (*shape.fields, *shape.derived)
        for name, held, due in zip(names, row[shape.body], cells, strict=True):
            if held != due:
                self.say(
                    kind,
                    row,
                    text=f"{name} vaut {said(held)} dans la table, {said(due)} d'après les opérations",
                )

    def say(self, kind: str, row: Row, *, text: str, of: str = "row") -> None:
        """Note a difference of one row."""
        self.findings.add(of, f"{kind} {row[0]} : {text}")

    def _check_number(self, row: Row, clean: Values, batch: int) -> None:
        due = number_key(clean)
        if row[-1] is None and due is not None:
            self.yielded.append((str(row[0]), due, batch))
        elif row[-1] != due:
            self.say(
                "act",
                row,
                text=f"number_key vaut {said(row[-1])} dans la table, {said(due)} d'après les opérations",
            )

    def check_area(self, kind: str, row: Row, *, clean: Values, tolds: list[Told]) -> None:
        """A person's or visit's area that is its household's is compared in app.audit.sweep, all at once."""
        held = self.areas.get(row[AREA], f"inconnue ({row[AREA]})")
        due = due_area(kind, clean)
        if due is None and followed(kind, clean) is not None:
            if len(tolds) > 1:
                self.homes[kind, str(row[0])] = self._home(kind, tolds)
            return
        due = self._home(kind, tolds) if due is None else due
        if held != due:
            self.say(kind, row, text=f"zone {held} dans la table, {due} d'après les opérations", of="area")

    def _home(self, kind: str, tolds: list[Told]) -> str:
        """Where an entity without a place lies: the commune of the least of the devices that wrote values of it."""
        devs = sorted({told.dev for told in tolds if refold.writes_of(told)}) or [tolds[-1].dev]
        homes = (self.trust.devices[dev].commune for dev in devs if dev in self.trust.devices)
        return fallback_area(
            kind, next((home for home in homes if home is not None), None), area_codes=self._codes
        )

    def fallback(self, kind: str, dev: str) -> str:
        """Where an entity without a place lies when this device wrote it."""
        device = self.trust.devices.get(dev)
        return fallback_area(kind, device.commune if device else None, area_codes=self._codes)

    # -- at the end --------------------------------------------------------------------------------------------

    def finish(self, forked: Collection[str], find: Find) -> tuple[Concerned, dict[str, dict[str, Row]]]:
        """Compare the entities written several times; `find(origin, n)` reads the operations of one number again.

        Those that acts concern are not compared yet: gives their operations and their rows, by kind and id.
        """
        self.flush()
        acted = concerned(tolds for kept in self.kept.values() for tolds in kept.values())
        for kind, ids in acted.items():
            for identity in ids:
                shape = self.shape(kind)
                self.kept[shape.kind].setdefault(shape.key(identity, kind), ids[identity])
        rows: dict[str, dict[str, Row]] = {kind: {} for kind in acted}
        for name, kept in self.kept.items():
            shape = self.shape(name)
            for key, row, tolds in self._kept_rows(shape, kept):
                identity, _, other = key.partition(" ")
                kind = tolds[0].operation.kind if tolds else other or name
                if row is None:
                    self.missing[name] += 1
                    text = "manque dans la table, l'opération est là"
                    dots = "".join(f" ({told.dot})" for told in tolds[:1])
                    self.findings.add("row", f"{kind} {identity} : {text}{dots}")
                    continue
                found = self._passed(shape, key, row, tolds, find)
                if identity in acted.get(kind, ()):
                    acted[kind][identity] = [*found, *tolds]
                    rows[kind][identity] = row
                else:
                    self._compare_kept(shape, row, tolds, found, forked)
        return acted, rows

    def _kept_rows(
        self, shape: Shape, kept: Mapping[str, list[Told]]
    ) -> Iterator[tuple[str, Row | None, list[Told]]]:
        pairs = iter(kept.items())
        while chunk := list(islice(pairs, CHUNK)):
            rows = self._rows(shape, [key.partition(" ")[0] for key, _ in chunk])
            yield from ((key, rows.get(key), tolds) for key, tolds in chunk)

    def _passed(self, shape: Shape, key: str, row: Row, tolds: list[Told], find: Find) -> list[Told]:
        """The operation the row names as its maker, where it was taken for the only one as it passed, and counted."""
        if any((told.origin, told.n) == (row[ORIGIN], row[N]) for told in tolds):
            return []
        found = [t for t in find(row[ORIGIN], row[N]) if shape.key(t.operation.id, t.operation.kind) == key]
        self.confirmed[shape.kind] -= bool(found)
        return found

    def _compare_kept(
        self, shape: Shape, row: Row, kept: list[Told], passed: list[Told], forked: Collection[str]
    ) -> None:
        tolds = sorted([*passed, *kept], key=lambda told: (told.batch, told.n))
        first = tolds[0]
        kind, identity = first.operation.kind, first.operation.id
        registers = refold.gather(tolds)
        if (row[ORIGIN], row[N]) != (first.origin, first.n):
            self.say(
                kind, row, text=f"la table nomme une autre première opération que {first.dot}", of="register"
            )
        if row[REGISTERS] is not None or len({(told.dot, told.raw) for told in tolds}) > 1:
            self.compare_registers(kind, row, registers=registers)
        values = refold.shown(kind, registers, forked=forked)
        final: Values | None = None
        if shape.numbered:
            # A registered act stays as it was first written, whatever is signed later.
            final = shape.split(values)[0]
            start = refold.gather(told for told in tolds if told.batch == first.batch)
            values = refold.shown(kind, start, forked=forked)
        clean = self._compare(shape, row, values, tolds, final=final)
        if not passed:
            self.count(kind, row, clean=clean)
        for name, weight in refold.open_registers(kind, registers, forked=forked).items():
            self.open_cases[short(kind), identity, short(name)] = weight

    def compare_registers(self, kind: str, row: Row, *, registers: Registers) -> None:
        """Compare the writes a row keeps with those of the operations."""
        due = refold.packed(registers)
        if row[REGISTERS] == due:
            return
        held, wanted = object_of(row[REGISTERS]), orjson.loads(due)
        if held == wanted:
            return
        for name in sorted(held.keys() | wanted.keys()):
            if held.get(name) != wanted.get(name):
                here, there = (
                    len(each) if isinstance(each, list) else 0 for each in (held.get(name), wanted.get(name))
                )
                text = f"registre {name} : {here} écritures dans la table, {there} d'après les opérations"
                if here == there:
                    text = f"registre {name} : une écriture n'est pas celle des opérations"
                self.say(kind, row, text=text, of="register")
                return
        self.say(kind, row, text="registers n'a pas la forme attendue", of="register")
