"""How the folded state of a kind becomes rows: which table, which area, which derived columns. No rule of any one kind
stands here; packages describe their kinds with a Projection and main.py hands them to the door in a Registry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import orjson
import sqlalchemy as sa

from app.ledger.tables import other
from sync.catalogue import CATALOGUE, checker, quick_check

Values = Mapping[str, Any]
SYSTEM = ("extra", "doubtful", "origin", "n", "area", "seq", "rev", "registers")
STANDING = ("void", "merged_into")
JSON_TYPES = frozenset({"ids", "json"})
LONGEST_NAME = 96


def short(name: str) -> str:
    """A kind or register name that fits an index: long ones keep their beginning and a digest."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:64]}~{hashlib.sha256(name.encode()).hexdigest()[:24]}"


class Cell(Protocol):
    """A counting: what one row of a kind adds to the rollups (app.statistics provides it)."""

    def __call__(
        self, kind: str, values: Values, area: str
    ) -> Iterable[tuple[str, tuple[Any, ...], int]]: ...


@dataclass(frozen=True)
class Projection:
    """One kind of entity and its register table.

    `area(values, commune of the writer's grant)` gives the area code or None (the fallback of that commune then); with
    `follows` the area is that of the entity named by this field, of kind `followed`. `derived` names columns computed
    from the values, `together` (columns, fields, function) several computed at once from the values of these fields.
    `yielding` names a unique derived column that a later row gives up (NULL; both rows are listed) when an earlier one
    holds the same value. Columns of a `final` kind stay as first written.
    """

    kind: str
    table: sa.Table
    area: Callable[[Values, str | None], str | None] = lambda values, commune: None
    follows: str | None = None
    followed: str | None = None
    derived: Mapping[str, Callable[[Values], Any]] = field(default_factory=dict)
    together: tuple[tuple[str, ...], tuple[str, ...], Callable[..., tuple[Any, ...]]] = ((), (), lambda: ())
    yielding: str | None = None
    final: bool = False


class Shape:
    """A Projection made ready for the hot path: column order, checkers, split of values into columns and extra."""

    def __init__(
        self, projection: Projection, codes: Mapping[str, frozenset[str]], *, kind: str | None = None
    ) -> None:
        self.projection = projection
        self.kind = kind or projection.kind
        self.table = projection.table
        derived = projection.derived
        catalogued = CATALOGUE[self.kind].fields if self.kind in CATALOGUE else {}
        self.columns = tuple(str(c.name) for c in self.table.columns)
        self.fields = tuple(c for c in self.columns if c in catalogued)
        self.derived = tuple((name, derived[name]) for name in self.columns if name in derived)
        self._together = projection.together
        self._checks = {f: checker(self.kind, f, codes) for f in self.fields}
        self._fits = quick_check(self.kind, self.fields, codes=codes) if self.fields else None
        self._json = tuple(at for at, f in enumerate(self.fields, 1) if catalogued[f].type in JSON_TYPES)
        self._whole = tuple(at for at, f in enumerate(self.fields, 1) if catalogued[f].type == "int")
        placed = {*self.fields, *SYSTEM, *STANDING, "id", *derived, *projection.together[0]}
        if unplaced := set(self.columns) - placed:
            raise ValueError(f"{self.table.name}: columns without a source: {sorted(unplaced)}")

    def split(self, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """(clean values for columns, extra): unknown fields and doubtful values go to extra, nulls nowhere."""
        if self._fits is not None and self._fits(values):
            return values, {}
        clean: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        checks = self._checks
        for name, value in values.items():
            if value is None:
                continue
            check = checks.get(name)
            if check is not None and check(value):
                clean[name] = value
            else:
                extra[name] = value
        return clean, extra

    def head(self, identity: str, clean: Values, *, extra: Values) -> tuple[Any, ...]:
        """The row but for its system columns: id, fields, derived columns, extra, names of doubtful fields."""
        row: list[Any] = [identity, *map(clean.get, self.fields)]
        for at in self._json:
            if row[at] is not None:
                row[at] = orjson.dumps(row[at]).decode()
        for at in self._whole:
            # 5.0 is 5 to the merge, but not to COPY into an integer column.
            if type(row[at]) is float:
                row[at] = int(row[at])
        for _, compute in self.derived:
            row.append(compute(clean))
        kept = (orjson.dumps(extra).decode(), self._name_doubtful(extra)) if extra else (None, None)
        _, inputs, compute = self._together
        return (*row, *compute(*map(clean.get, inputs)), *kept)

    def _name_doubtful(self, extra: Values) -> str | None:
        names = sorted(name for name in extra if name in self._checks)
        return f" {' '.join(names)} " if names else None

    def row(self, identity: str, clean: Values, *, extra: Values, system: tuple[Any, ...]) -> tuple[Any, ...]:
        """The tuple for the table in the order of `order`; `system` = origin, n, area, seq, rev, registers."""
        return self.head(identity, clean, extra=extra) + system

    @property
    def json_fields(self) -> tuple[str, ...]:
        """The fields kept as JSON text."""
        return tuple(self.fields[at - 1] for at in self._json)

    @property
    def order(self) -> tuple[str, ...]:
        """Column names in the order `row` fills them; where it is neither void nor merged the rest stays null."""
        return ("id", *self.fields, *(name for name, _ in self.derived), *self._together[0], *SYSTEM)

    def values_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """All values of a stored row, doubtful and unknown ones included (the row's `set` of the feed)."""
        values = self.clean_values(row)
        if row["extra"]:
            values.update(orjson.loads(row["extra"]))
        return values

    def clean_values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a stored row that have the right type and list: what may be counted."""
        values = {f: row[f] for f in self.fields if row[f] is not None}
        for name in self.json_fields:
            if name in values:
                values[name] = orjson.loads(values[name])
        return values

    def doubtful(self, row: Mapping[str, Any]) -> list[str]:
        """Known fields whose value is kept but not believed."""
        return row["doubtful"].split() if row["doubtful"] else []


@dataclass(frozen=True)
class Registry:
    """All kinds the server keeps in tables, what they count for, and the rollup tables the cells go to.

    `counted`: of a kind, the fields that counting looks at and how many letters of each (None = all of it).
    """

    shapes: dict[str, Shape]
    cells: Cell
    rollups: Mapping[str, sa.Table]
    codes: Mapping[str, frozenset[str]]
    counted: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)

    def shape(self, kind: str) -> Shape:
        """The shape of a kind; an unknown kind has no table of its own and lives in `other`."""
        found = self.shapes.get(kind)
        if found is None:
            name = short(kind)
            found = Shape(
                Projection(kind, other, derived={"kind": lambda _values: name}), self.codes, kind=kind
            )
        return found

    @cached_property
    def leaders(self) -> list[str]:
        """Kinds that others follow."""
        return sorted({s.projection.followed for s in self.shapes.values() if s.projection.followed})

    def followers(self, kind: str) -> list[Shape]:
        """Shapes whose area is that of an entity of this kind."""
        return [s for s in self.shapes.values() if s.projection.followed == kind]
