"""What a batch being folded consists of: its lines, who signed it, and the entities it touches. Folds nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from app.ledger.creating import Block
from app.ledger.projection import Shape, Values
from sync import merge
from sync.protocol import Header, Line, Operation, read_one

Disposition = dict[str, Any]
Entity = tuple[str, str]


class Decoded(Protocol):
    """A batch and its lines, however they come by."""

    @property
    def header(self) -> Header: ...

    @property
    def lines(self) -> Sequence[Line]: ...


class Framed:
    """A batch whose lines are read one by one when somebody asks for them: mostly nobody does."""

    def __init__(self, header: Header, raws: Sequence[bytes]) -> None:
        self.header = header
        self.raws = raws

    @cached_property
    def lines(self) -> list[Line]:
        """All lines."""
        return [read_one(raw, n, header=self.header) for n, raw in enumerate(self.raws, self.header.from_)]


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


@dataclass(slots=True)
class Entry:
    """One entity this batch touches: its stored row if any, the operations, and the state after folding them.

    `row` is that of a creation but for its system columns (Shape.head).
    `moved`: no operation of this batch is about it; it follows an entity that moved.
    `named`: numbers of the merges that name it as survivor. `counted` and `was_counted`: in the figures, after and
    before; a row that is void, merged away, or nothing but acts counts for nothing. `gone`: nothing stands of it.
    """

    shape: Shape
    id: str
    operations: list[tuple[int, Operation, bytes]]
    before: Mapping[str, Any] | None = None
    registers: merge.Registers | None = None
    clean: Values = field(default_factory=dict)
    extra: Values = field(default_factory=dict)
    row: tuple[Any, ...] = ()
    area: str = ""
    moved: bool = False
    gone: bool = False
    named: list[int] = field(default_factory=list)
    void: bool = False
    merged_into: str | None = None
    counted: bool = True
    was_counted: bool = True

    @property
    def away(self) -> bool:
        """Whether its own row shows nothing: it is hidden, or shown under another id."""
        return self.void or self.merged_into is not None

    @property
    def key(self) -> Entity:
        """Kind and id."""
        return self.shape.kind, self.id


class Touched:
    """The entities of one batch by kind and id: `creations` become rows of exactly one operation, nothing being known
    of them here; `changes` are all others. `blocks` are creations too, by kind, already made into rows."""

    __slots__ = ("blocks", "changes", "creations")

    def __init__(self) -> None:
        self.blocks: dict[str, Block] = {}
        self.creations: dict[str, dict[str, Entry]] = defaultdict(dict)
        self.changes: dict[str, dict[str, Entry]] = defaultdict(dict)

    def __iter__(self) -> Iterator[Entry]:
        for group in (self.creations, self.changes):
            for entries in group.values():
                yield from entries.values()

    def changed(self) -> Iterator[Entry]:
        """The entities that are more than one new operation."""
        for entries in self.changes.values():
            yield from entries.values()

    def ids(self, kind: str) -> set[str]:
        """The entities of a kind this batch touches."""
        return {*self.creations.get(kind, ()), *self.changes.get(kind, ())}

    def area_of(self, kind: str, identity: str) -> str | None:
        """The area of an entity placed here, None when this batch does not touch it."""
        if kind in self.blocks and (area := self.blocks[kind].areas.get(identity)) is not None:
            return area
        found = self.find(kind, identity)
        return found.area if found is not None else None

    def find(self, kind: str, identity: str) -> Entry | None:
        """The entry of an entity, None when this batch does not touch it or has it in a block."""
        return self.creations[kind].get(identity) or self.changes[kind].get(identity)
