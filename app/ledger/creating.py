"""What a batch writes down for the first time in the ordinary way, made into rows before any lock is taken: nearly all
operations of a census. Everything else in it is sorted line by line; asks no database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Protocol

import orjson
from msgspec.structs import astuple

from app.ledger.lines import compress
from app.ledger.projection import Registry, Shape
from sync.catalogue import CATALOGUE
from sync.creations import Created, CreationReader
from sync.ledger import refusal
from sync.protocol import Header, Operation, read_one

Head = tuple[Any, ...]
Cells = dict[str, Counter[tuple[Any, ...]]]
# What stands in a row before and after the operation's number n; the rest is the same for all rows of an area.
AFTER_HEAD = ("n", "origin", "area", "seq", "rev", "registers")


class Block:
    """The new entities of one kind: `placed` are heads of rows by area code, `texts` (number of rows, the same as
    text for COPY), `following` heads whose area is that of an entity outside the batch, by its id, `cells` what the
    placed ones count for. A head is id, fields, columns computed from them, extra (none), and n."""

    __slots__ = ("areas", "cells", "following", "placed", "shape", "texts")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.placed: dict[str, list[Head]] = defaultdict(list)
        self.texts: dict[str, tuple[int, bytes]] = {}
        self.following: dict[str, list[Head]] = defaultdict(list)
        self.areas: dict[str, str] = {}
        self.cells: Cells = defaultdict(Counter)

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns in the order of a head, then those after it."""
        order = self.shape.order
        return (*order[: order.index("extra") + 1], *AFTER_HEAD)

    def settle(self, areas: Mapping[str, str | None], *, fallback: str, registry: Registry) -> None:
        """Place the heads that follow somebody outside the batch: `areas` by his id, else the fallback."""
        for leader, heads in self.following.items():
            area = areas.get(leader) or fallback
            self.placed[area].extend(heads)
            self.count(registry, area, heads=heads)
        self.following.clear()

    def count(self, registry: Registry, area: str, *, heads: Sequence[Head]) -> None:
        """Add what rows count for; rows alike in all that counting looks at are counted together."""
        looked_at = registry.counted.get(self.shape.kind)
        names = self.shape.fields if looked_at is None else tuple(looked_at)
        letters = [None if looked_at is None else looked_at[name] for name in names]
        columns = [
            _cut(map(itemgetter(self.shape.fields.index(name) + 1), heads), most)
            for name, most in zip(names, letters, strict=True)
        ]
        alike = Counter(zip(*columns, strict=True)) if columns else {(): len(heads)}
        for values, times in alike.items():
            known = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            for name, key, count in registry.cells(self.shape.kind, known, area):
                self.cells[name][key] += count * times


def _cut(column: Any, most: int | None) -> Any:
    return column if most is None else [value and value[:most] for value in column]


class Taken(NamedTuple):
    """What was read of a batch: blocks by kind, the numbers of the lines that are left, its stored form."""

    blocks: dict[str, Block]
    left: list[int]
    content: bytes


class Reader(Protocol):
    """Reads a batch; `home` and `fallback` are the commune and area of the writer's grant."""

    def take(
        self,
        header: Header,
        raws: Sequence[bytes],
        *,
        data: bytes,
        role: str,
        home: str | None,
        fallback: str,
    ) -> Taken: ...


class Creating:
    """Takes the ordinary creations out of batches; made once for a registry."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._shapes = {kind: shape for kind, shape in registry.shapes.items() if _is_ordinary(shape)}
        kinds = {kind: shape.fields for kind, shape in self._shapes.items()}
        self._reader = CreationReader(kinds, registry.codes)

    def take(
        self,
        header: Header,
        raws: Sequence[bytes],
        *,
        data: bytes,
        role: str,
        home: str | None,
        fallback: str,
    ) -> Taken:
        """Blocks of the ordinary creations among the lines of `data`."""
        found = self._reader.read(raws)
        lines = [
            read_one(raw, n, header=header)
            for n, (raw, made) in enumerate(zip(raws, found, strict=True), header.from_)
            if made is None or made.by is not None
        ]
        left = [line.n for line in lines]
        named = {(o.kind, o.id) for line in lines if (o := line.operation) is not None}
        groups: dict[str, list[tuple[int, Created]]] = defaultdict(list)
        for n, made in enumerate(found, header.from_):
            if made is not None and made.by is None:
                kind = type(made).__name__
                if named and (kind, made.id) in named:
                    # Written down and changed at once: its operations are merged in order.
                    left.append(n)
                else:
                    groups[kind].append((n, made))
        for kind in [each for each in groups if not _may_create(each, role)]:
            left += [n for n, _ in groups.pop(kind)]
        return Taken(self._blocks(groups, home=home, fallback=fallback), sorted(left), compress(data))

    def _blocks(
        self, groups: Mapping[str, list[tuple[int, Created]]], *, home: str | None, fallback: str
    ) -> dict[str, Block]:
        """Leaders first: who follows them lies where they lie."""
        blocks: dict[str, Block] = {}
        for kind in sorted(groups, key=lambda each: self._shapes[each].projection.followed is not None):
            block = blocks[kind] = Block(self._shapes[kind])
            followed = blocks.get(block.shape.projection.followed or "")
            known = followed.areas if followed is not None else {}
            self._place(block, groups[kind], known=known, home=home, fallback=fallback)
        return blocks

    def _place(
        self,
        block: Block,
        made: Sequence[tuple[int, Created]],
        *,
        known: Mapping[str, str],
        home: str | None,
        fallback: str,
    ) -> None:
        projection = block.shape.projection
        place, follows, leads = (
            projection.area,
            projection.follows,
            block.shape.kind in self.registry.leaders,
        )
        for (_, each), head in zip(made, _heads(block.shape, made), strict=True):
            values: Any = each.set
            area = place(values, home)
            if area is None and follows and (leader := values.get(follows)):
                area = known.get(leader)
                if area is None:
                    block.following[leader].append(head)
                    continue
            block.placed[area or fallback].append(head)
            if leads:
                block.areas[each.id] = area or fallback
        for code, heads in block.placed.items():
            block.count(self.registry, code, heads=heads)


def _is_ordinary(shape: Shape) -> bool:
    kind, projection = CATALOGUE.get(shape.kind), shape.projection
    plain = kind is not None and not kind.server_made and not kind.immutable
    return plain and not (projection.derived or projection.yielding or projection.final)


@lru_cache(maxsize=64)
def _may_create(kind: str, role: str) -> bool:
    return refusal(Operation(kind=kind, id="", new=True), role=role) is None


def _heads(shape: Shape, made: Sequence[tuple[int, Created]]) -> list[Head]:
    """The heads of creations of one kind, in their order."""
    values = [each.set for _, each in made]
    for name in shape.json_fields:
        for each in values:
            if (listed := getattr(each, name)) is not None:
                setattr(each, name, orjson.dumps(listed).decode())
    columns, inputs, compute = shape.projection.together
    if not columns:
        return [(each.id, *astuple(fields), None, n) for (n, each), fields in zip(made, values, strict=True)]
    computed = map(compute, *(map(attrgetter(name), values) for name in inputs))
    return [
        (each.id, *astuple(fields), *more, None, n)
        for (n, each), fields, more in zip(made, values, computed, strict=True)
    ]
