"""The lines of one batch sorted before any lock is taken: what is refused, what makes an entity, what changes one.
Asks no database; the results of folding are the business of fold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.ledger.entry import Decoded, Disposition, Entry, Touched
from app.ledger.projection import Registry, Shape
from sync import merge
from sync.ledger import refusal
from sync.protocol import Line, Operation

OF_VALUES = frozenset({"set", "resolve"})


@dataclass(slots=True)
class Sorted:
    """Entities by kind and id, dispositions by operation number so far, and refused lines with their reason."""

    touched: Touched = field(default_factory=Touched)
    dispositions: dict[str, Disposition] = field(default_factory=dict)
    quarantined: list[tuple[Line, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Readable:
    """A batch, its lines sorted as if none of them were held already, and the form in which its bytes are stored."""

    batch: Decoded
    sorted: Sorted | None
    content: bytes | None = None
    left: Sequence[Line] = ()

    def told(self, touched: Touched) -> Sequence[Line]:
        """The lines that were folded one by one: all, or those that stand in no block."""
        return self.left if touched.blocks else self.batch.lines


def sort_lines(
    registry: Registry,
    lines: Iterable[Line],
    *,
    role: str,
    skip: Mapping[int, Disposition],
    again: Collection[int] = (),
) -> Sorted:
    """Sort the lines of a writer of this role. `skip` are numbers already held and what is said of them; `again` those
    among them that are folded all the same."""
    found = Sorted()
    dispositions = found.dispositions
    shapes: dict[str, Shape] = {}
    for line in lines:
        operation = line.operation
        reason = (line.reason or "unreadable") if operation is None else refusal(operation, role=role)
        if skip and (known := skip.get(line.n)) is not None:
            dispositions[str(line.n)] = known
            if known["status"] == "duplicate" and (reason is not None or line.n not in again):
                continue
        if reason is not None or operation is None:
            found.quarantined.append((line, reason or "unreadable"))
            dispositions[str(line.n)] = {"status": "quarantined", "reason": reason}
            continue
        shape = shapes.get(operation.kind) or shapes.setdefault(
            operation.kind, registry.shape(operation.kind)
        )
        _enter(found.touched, shape, operation=operation, line=line)
    for made in found.touched.creations.values():
        for entry in made.values():
            entry.clean, entry.extra = entry.shape.split(merge.first_values(entry.operations[0][1]))
            entry.row = entry.shape.head(entry.id, entry.clean, extra=entry.extra)
    return found


def _enter(touched: Touched, shape: Shape, *, operation: Operation, line: Line) -> None:
    kind, identity = operation.kind, operation.id
    step = (line.n, operation, line.raw)
    made = touched.creations[kind]
    changed = touched.changes[kind].get(identity)
    if changed is not None:
        changed.operations.append(step)
    elif (
        operation.new
        and identity not in made
        and not operation.par
        and operation.ev == "declared"
        and operation.act in OF_VALUES
    ):
        made[identity] = Entry(shape, identity, [step])
    else:
        first = made.pop(identity, None)
        steps = [*(first.operations if first else ()), step]
        touched.changes[kind][identity] = Entry(shape, identity, steps)
