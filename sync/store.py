"""What a device must remember between two contacts, as a Protocol of few methods, and the same kept in memory.

Owns the rules of a pulled page (rev, leave, drop, pass); signs nothing, sends nothing, trusts whoever calls it.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO, Protocol

import orjson

Facts = dict[str, Any]
Entity = tuple[str, str]
NumberLines = Callable[[int, int], Sequence[bytes]]


class Damaged(Exception):
    """An outbox that cannot be opened or written (another version, a full disk); the text (French) says why."""


@dataclass(frozen=True, slots=True)
class Open:
    """The oldest operations not yet sealed, of one epoch: lines without LF, the first of them numbered `first`."""

    ep: int
    first: int
    prev: str | None
    lines: list[bytes]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A batch as it leaves and as it is stored, never made again; `content` is gzip, `size` its decoded bytes."""

    ep: int
    first: int
    last: int
    sha256: str
    prev: str | None
    signature: str
    content: bytes
    size: int
    contact: int = 0
    sealed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of a sealed batch: `nodes` whose receipt is held, `settled_at` the province's date in its own."""

    ep: int
    first: int
    last: int
    sha256: str
    signature: str
    size: int
    contact: int
    sealed_at: float
    tries: int = 0
    refused: str | None = None
    nodes: frozenset[str] = frozenset()
    settled_at: str | None = None
    kept: bool = True

    @property
    def operations(self) -> int:
        """How many operations the batch holds."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt whose signature was verified; `province` says that it is the province's own."""

    sha256: str
    node: str
    province: bool
    received_at: str
    text: bytes
    signature: str


@dataclass(frozen=True, slots=True)
class Page:
    """One whole page of `changes`: its lines, and the last line's positions (area → text), feed and `have`."""

    lines: list[dict[str, Any]]
    after: dict[str, str]
    feed: str
    more: bool
    have: dict[str, list[list[int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One pulled entity as this device holds it; `passed` is the last full reading that met it."""

    area: str
    rev: int
    feed: str
    passed: int
    line: bytes


class Store(Protocol):
    """The memory of one device. Every method is one transaction, durable when it returns, safe for threads."""

    def facts(self) -> Facts:
        """Everything remembered by name: key, grant, node, counters."""

    def remember(self, facts: Mapping[str, Any]) -> None:
        """Set facts (JSON values) by name."""

    def begin_epoch(self, ep: int) -> None:
        """Number later operations from 1 in this epoch; older ones stay in theirs."""

    def epochs(self) -> dict[int, int]:
        """Epoch → the greatest number given in it, oldest epoch first."""

    def save(self, number: NumberLines, marks: Iterable[str] = ()) -> int:
        """Keep the lines that `number(ep, first)` makes under the lock, and the marks; gives how many lines."""

    def marked(self, marks: Iterable[str]) -> set[str]:
        """Those of the marks that were kept before."""

    def seal(self, make: Callable[[Open], Sealed], *, most_operations: int, most_bytes: int) -> Sealed | None:
        """Turn the oldest open lines (at least one, together at most `most_bytes` with LF) into a batch, under the
        lock; None when nothing is open."""

    def batches(self) -> list[Held]:
        """Every batch ever sealed, oldest first."""

    def content(self, sha256: str) -> bytes:
        """The stored bytes (gzip) of a batch; KeyError when unknown or deleted."""

    def open_lines(self) -> list[tuple[int, int, bytes]]:
        """(ep, n, line) of the operations not yet sealed, oldest first."""

    def note_try(self, sha256: str, refused: str | None = None) -> None:
        """Count a sending of a batch before it is made; `refused` is the code of a final refusal, None lifts it."""

    def keep_receipts(self, receipts: Sequence[Receipt]) -> tuple[int, list[Receipt]]:
        """Keep verified receipts of batches sealed here; gives how many are new, and the receipts of no such batch."""

    def forget(self, sha256s: Iterable[str]) -> None:
        """Delete the bytes of batches; what they were and their receipts stay."""

    def positions(self) -> dict[str, str]:
        """Area → position of the feed, as text of the server."""

    def restart(self) -> None:
        """Read the feed from 0 again: positions go, rows stay until the reading is complete."""

    def apply(self, page: Page, unsettled: Callable[[], set[Entity]]) -> tuple[int, int]:
        """Apply a page and its positions in one transaction; gives (rows written, rows removed).

        `unsettled` names the entities with own work the province has not: their rows are never dropped.
        """

    def row(self, kind: str, id: str) -> dict[str, Any] | None:  # noqa: A002 - as on the wire
        """The pulled row of an entity, as the server sent it."""

    def count_rows(self) -> dict[str, int]:
        """Kind → rows held."""

    def part(self, sha256: str) -> BinaryIO:
        """The file a pack is fetched into, to read and to append; closed it keeps what came, through a crash too."""

    def forget_parts(self) -> None:
        """Remove all fetched files."""

    def drop_rows(self) -> None:
        """Remove every pulled row, position and fetched file; the outbox stays."""


# the rules of a page, the same for every store ---------------------------------------------------------


def is_newer(line: Mapping[str, Any], held: Row | None, *, feed: str) -> bool:
    """Tell whether a line says more than the row held: within one feed only a greater `rev` does (section 7)."""
    return held is None or held.feed != feed or int(line["rev"]) > held.rev


def leaves(line: Mapping[str, Any], held: Row | None, *, feed: str) -> bool:
    """Tell whether a `leave` line removes the row held: not when the entity is known by now in another area."""
    return held is not None and held.area == line["area"] and is_newer(line, held, feed=feed)


def entity_of(line: Mapping[str, Any]) -> Entity:
    """(kind, id) of a row or a `leave` line."""
    return str(line["kind"]), str(line["leave"] if "leave" in line else line["id"])


def row_of(line: Mapping[str, Any], *, feed: str, passed: int) -> Row:
    """The row to hold for a line."""
    return Row(str(line["area"]), int(line["rev"]), feed, passed, orjson.dumps(line))


@dataclass
class _Epoch:
    last: int = 0
    prev: str | None = None


class _Part(BytesIO):
    """A file in memory that is there again when it is opened again."""

    def close(self) -> None:
        self.seek(0, 2)


class MemoryStore:
    """A device that forgets everything when its program ends: for tests and simulations."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._facts: Facts = {}
        self._epochs: dict[int, _Epoch] = {}
        self._open: list[tuple[int, int, bytes]] = []
        self._marks: set[str] = set()
        self._held: dict[str, Held] = {}
        self._content: dict[str, bytes] = {}
        self._receipts: dict[tuple[str, str], Receipt] = {}
        self._rows: dict[Entity, Row] = {}
        self._positions: dict[str, str] = {}
        self._parts: dict[str, _Part] = {}

    def facts(self) -> Facts:
        """As in Store."""
        return dict(self._facts)

    def remember(self, facts: Mapping[str, Any]) -> None:
        """As in Store."""
        with self._lock:
            self._facts.update(facts)

    def begin_epoch(self, ep: int) -> None:
        """As in Store."""
        with self._lock:
            self._epochs[ep] = _Epoch()

    def epochs(self) -> dict[int, int]:
        """As in Store."""
        return {ep: each.last for ep, each in self._epochs.items()}

    def save(self, number: NumberLines, marks: Iterable[str] = ()) -> int:
        """As in Store."""
        with self._lock:
            ep, epoch = next(reversed(self._epochs.items()))
            lines = number(ep, epoch.last + 1)
            self._open += [(ep, n, line) for n, line in enumerate(lines, epoch.last + 1)]
            epoch.last += len(lines)
            self._marks.update(marks)
            return len(lines)

    def marked(self, marks: Iterable[str]) -> set[str]:
        """As in Store."""
        return self._marks.intersection(marks)

    def seal(self, make: Callable[[Open], Sealed], *, most_operations: int, most_bytes: int) -> Sealed | None:
        """As in Store."""
        with self._lock:
            if not self._open:
                return None
            ep, first, _ = self._open[0]
            same = (line for each, _, line in self._open if each == ep)
            lines = take(same, most_operations=most_operations, most_bytes=most_bytes)
            sealed = make(Open(ep, first, self._epochs[ep].prev, lines))
            del self._open[: len(lines)]
            self._epochs[ep].prev = sealed.sha256
            self._held[sealed.sha256] = held_of(sealed)
            self._content[sealed.sha256] = sealed.content
            return sealed

    def batches(self) -> list[Held]:
        """As in Store."""
        with self._lock:
            return list(self._held.values())

    def content(self, sha256: str) -> bytes:
        """As in Store."""
        return self._content[sha256]

    def open_lines(self) -> list[tuple[int, int, bytes]]:
        """As in Store."""
        return list(self._open)

    def note_try(self, sha256: str, refused: str | None = None) -> None:
        """As in Store."""
        with self._lock:
            held = self._held[sha256]
            self._held[sha256] = replace(held, tries=held.tries + (refused is None), refused=refused)

    def keep_receipts(self, receipts: Sequence[Receipt]) -> tuple[int, list[Receipt]]:
        """As in Store."""
        new, strange = 0, []
        with self._lock:
            for each in receipts:
                held = self._held.get(each.sha256)
                if held is None:
                    strange.append(each)
                    continue
                if (each.sha256, each.node) in self._receipts:
                    continue
                self._receipts[each.sha256, each.node] = each
                settled = each.received_at if each.province else held.settled_at
                self._held[each.sha256] = replace(held, nodes=held.nodes | {each.node}, settled_at=settled)
                new += 1
        return new, strange

    def forget(self, sha256s: Iterable[str]) -> None:
        """As in Store."""
        with self._lock:
            for sha256 in sha256s:
                self._content.pop(sha256, None)
                self._held[sha256] = replace(self._held[sha256], kept=False)

    def positions(self) -> dict[str, str]:
        """As in Store."""
        return dict(self._positions)

    def restart(self) -> None:
        """As in Store."""
        with self._lock:
            self._positions.clear()
            self._facts |= {"pass": self._facts.get("pass", 0) + 1, "sweeping": True}

    def apply(self, page: Page, unsettled: Callable[[], set[Entity]]) -> tuple[int, int]:
        """As in Store."""
        written = 0
        with self._lock:
            passed = self._facts.get("pass", 0)
            before = set(self._rows)
            for line in page.lines:
                if "drop" in line:
                    self._drop(partial(_is_in, line["drop"]), unsettled)
                    self._positions.pop(line["drop"], None)
                    continue
                entity = entity_of(line)
                held = self._rows.get(entity)
                if "leave" in line:
                    if leaves(line, held, feed=page.feed):
                        del self._rows[entity]
                elif is_newer(line, held, feed=page.feed):
                    self._rows[entity] = row_of(line, feed=page.feed, passed=passed)
                    written += 1
                elif held is not None:
                    self._rows[entity] = replace(held, passed=passed)
            self._positions |= page.after
            self._facts |= {"feed": page.feed, "have": page.have}
            if not page.more and self._facts.get("sweeping"):
                self._drop(lambda row: row.passed < passed, unsettled)
                self._facts["sweeping"] = False
            return written, len(before - set(self._rows))

    def _drop(self, is_gone: Callable[[Row], bool], unsettled: Callable[[], set[Entity]]) -> None:
        gone = {entity for entity, row in self._rows.items() if is_gone(row)}
        for entity in gone - unsettled() if gone else ():
            del self._rows[entity]

    def row(self, kind: str, id: str) -> dict[str, Any] | None:  # noqa: A002 - as on the wire
        """As in Store."""
        held = self._rows.get((kind, id))
        return orjson.loads(held.line) if held is not None else None

    def count_rows(self) -> dict[str, int]:
        """As in Store."""
        counted: dict[str, int] = {}
        for kind, _ in self._rows:
            counted[kind] = counted.get(kind, 0) + 1
        return counted

    def part(self, sha256: str) -> BinaryIO:
        """As in Store."""
        return self._parts.setdefault(sha256, _Part())

    def forget_parts(self) -> None:
        """As in Store."""
        self._parts.clear()

    def drop_rows(self) -> None:
        """As in Store."""
        with self._lock:
            self._rows.clear()
            self._positions.clear()
            self._facts["packed"] = None
            self._parts.clear()


def _is_in(area: str, row: Row) -> bool:
    return row.area == area


def take(lines: Iterable[bytes], *, most_operations: int, most_bytes: int) -> list[bytes]:
    """The first lines that fit together with their LFs; at least one, whatever its size."""
    taken: list[bytes] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if taken and (size > most_bytes or len(taken) >= most_operations):
            break
        taken.append(line)
    return taken


def held_of(sealed: Sealed) -> Held:
    """What is known of a batch at the moment it is sealed."""
    return Held(
        ep=sealed.ep,
        first=sealed.first,
        last=sealed.last,
        sha256=sealed.sha256,
        signature=sealed.signature,
        size=sealed.size,
        contact=sealed.contact,
        sealed_at=sealed.sealed_at,
    )
