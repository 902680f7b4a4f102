"""What is held already of the operation numbers of a batch: repeated lines, and dots under which two lines stand."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from app.ledger.entry import Decoded, Disposition, Entity
from app.ledger.keeping import Origin, note_forks
from app.ledger.lines import StoredLine, lines_at
from sync.protocol import Header, Line, dot


class Held:
    """What is known already of the operation numbers in a batch: repeated lines, and dots under which two stand."""

    __slots__ = ("again", "dots", "entities", "probe", "skip", "stands")

    def __init__(self) -> None:
        self.skip: dict[int, Disposition] = {}
        self.again: set[int] = set()
        self.dots: set[str] = set()
        self.entities: list[Entity] = []
        self.stands = True
        self.probe = False

    def compare(self, header: Header, line: Line, *, others: Sequence[StoredLine]) -> None:
        """Note what a line is beside those held under its dot."""
        same = [each for each in others if each.line.raw == line.raw]
        if same:
            self.skip[line.n] = {"status": "duplicate"}
            if all(each.by != header.by for each in same):
                # The same line under another person's header: the merge keeps one name, whichever came first.
                self.again.add(line.n)
        elif others:
            self.skip[line.n] = {"status": "fork"}
            self.dots.add(dot(header.dev, header.ep, line.n))
            self.entities.extend((o.kind, o.id) for each in others if (o := each.line.operation) is not None)


def compare(
    connection: sa.Connection,
    readable: Decoded,
    *,
    origin: Origin,
    at: str,
    before: int | None = None,
) -> Held:
    """Operation numbers already held: the same line is a duplicate, another line under the same dot a fork, which
    is noted. `before`: held in batches stored before that number."""
    held, header = Held(), readable.header
    if not origin.holds_any(header.from_, header.to):
        return held
    numbers = [line.n for line in readable.lines if origin.holds(line.n)]
    stored = lines_at(connection, [(origin.local, n) for n in numbers], before=before)
    for line in readable.lines:
        held.compare(header, line, others=stored.get((origin.local, line.n), ()))
    if held.dots:
        note_forks(connection, held.dots, dev=header.dev, at=at)
    return held
