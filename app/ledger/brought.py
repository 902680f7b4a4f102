"""Lines the province brought, apart from their batches: how they are folded, and what stands of them where the device
that signed them is revoked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import sqlalchemy as sa

from app.ledger.areas import Areas
from app.ledger.entry import Author
from app.ledger.fold import Fold
from app.ledger.holding import Held, compare
from app.ledger.keeping import Origin, chain_of, no_longer_aside, set_aside
from app.ledger.lines import StoredLine, falls, lines_brought_of
from app.ledger.projection import Registry
from app.ledger.revocation import REASON, Verdict
from app.ledger.senders import homes_of
from app.ledger.sorting import Readable
from app.ledger.tables import batch, brought_batch, origin, waiting
from app.ledger.unfolding import Position
from app.territory.places import Territory
from sync.ledger import refusal
from sync.protocol import Batch, Header, Line

# Of a device: epoch → its batches, each [SHA-256, that of the one before].
Chains = Mapping[str, Sequence[Sequence[str | None]]]


class Folding(Protocol):
    """What is asked here of the one door in (app.ledger.door)."""

    areas: Areas
    registry: Registry
    territory: Territory

    def origin_of(self, connection: sa.Connection, dev: str, ep: int) -> Origin:
        """The origin of (dev, ep), made at its first operation."""

    def verdict(self, connection: sa.Connection, dev: str) -> Verdict:
        """What is said of a device."""

    def fold(
        self,
        connection: sa.Connection,
        author: Author,
        readable: Readable,
        *,
        held: Held,
        at: str,
        came_at: Callable[[int], Position] | None = None,
    ) -> Fold:
        """Fold lines."""

    def fold_back(self, connection: sa.Connection, row: sa.Row[Any], *, at: str) -> set[str]:
        """Fold a batch that was left out; gives the devices it speaks of."""


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of one author (dev, ep, person, role), each number once: what the fold takes at a time."""

    batch: Batch
    role: str
    origin: Origin
    held: Held


def batch_of(dev: str, ep: int, *, by: str | None, lines: Sequence[Line]) -> Batch:
    """Lines of one author as if they were a batch."""
    return Batch(Header(1, dev, ep, lines[0].n, lines[-1].n, None, by), list(lines))


def fold_group(
    connection: sa.Connection,
    door: Folding,
    group: Group,
    *,
    at: str,
    came: Mapping[int, Position] | None = None,
) -> set[str]:
    """Fold one group; gives the devices it speaks of. `came`: the lines were left out, and came first then."""
    header, lines = group.batch.header, group.batch.lines
    home = homes_of(connection, [header.dev], commune_of=door.territory.commune_of)[header.dev]
    # What is held of the author's numbers stands in the origin; a span here would claim those in between.
    author = Author(
        header.dev, header.ep, group.origin.local, group.role, home, header.by, header.from_, header.from_
    )
    fold = door.fold(
        connection,
        author,
        Readable(group.batch, None),
        held=group.held,
        at=at,
        came_at=came.__getitem__ if came is not None else None,
    )
    arrived = waiting.c.awaited_n.in_([line.n for line in lines])
    own = (waiting.c.awaited_dev == header.dev, waiting.c.awaited_ep == header.ep)
    connection.execute(waiting.delete().where(*own, arrived))
    return fold.touched.ids("device")


# -- batches of revoked devices ----------------------------------------------------------------------------------------


def chains_of(connection: sa.Connection, dev: str) -> Chains:
    """At the province: every batch of a device, by arrival."""
    columns = (origin.c.ep, batch.c.sha256, batch.c.prev)
    query = sa.select(*columns).join(origin, origin.c.id == batch.c.origin).where(origin.c.dev == dev)
    rows = connection.execute(query.order_by(origin.c.ep, batch.c.id))
    return {
        str(ep): [[row.sha256, row.prev] for row in each] for ep, each in groupby(rows, lambda row: row.ep)
    }


def unheard_of(
    connection: sa.Connection, door: Folding, chains: Mapping[str, Chains]
) -> dict[str, list[dict[str, Any]]]:
    """Device → rows of `brought_batch` (but for the answer) of its batches that are neither here nor told of before."""
    found: dict[str, list[dict[str, Any]]] = {}
    for dev, epochs in chains.items():
        for ep, told in epochs.items():
            local = door.origin_of(connection, dev, int(ep)).local
            known = chain_of(connection, local)
            rows = [
                {"sha256": sha256, "origin": local, "prev": prev}
                for sha256, prev in told
                if sha256 not in known
            ]
            if rows:
                found.setdefault(dev, []).extend(rows)
    return found


def left_out(connection: sa.Connection, batches: Collection[str]) -> dict[str, bool]:
    """Those of these batches that do not stand here, the device being revoked: the province may not know. True where
    the batch itself is held, and its lines were set aside with it."""
    found: dict[str, bool] = {}
    for table, held in ((brought_batch, False), (batch, True)):
        query = sa.select(table.c.sha256, table.c.unfolded).where(table.c.sha256.in_(batches))
        found |= {
            row.sha256: held for row in connection.execute(query) if row.unfolded or row.sha256 in found
        }
    return found


def fallen_of(connection: sa.Connection, local: int, *, sha256: str) -> list[StoredLine]:
    """The lines brought of a batch that fall with it: acts do not, and what was refused never stood."""
    return [
        each
        for each in lines_brought_of(connection, local, sha256=sha256)
        if falls(each.line)
        and each.line.operation is not None
        and refusal(each.line.operation, role=each.role or "") is None
    ]


def set_brought_aside(
    connection: sa.Connection,
    door: Folding,
    place: Origin,
    *,
    dev: str,
    ep: int,
    batches: Iterable[str],
    at: str,
) -> None:
    """Put the lines brought of batches that are not held and do not stand in quarantine, each once."""
    home = homes_of(connection, [dev], commune_of=door.territory.commune_of)[dev]
    area = door.areas.id(door.areas.fallback(home))
    for sha256 in sorted(batches):
        no_longer_aside(connection, sha256)
        lines = [(each.line, REASON) for each in fallen_of(connection, place.local, sha256=sha256)]
        set_aside(connection, lines, dev=dev, sha256=sha256, ep=ep, area=area, at=at)


def fold_back_brought(
    connection: sa.Connection, door: Folding, local: int, *, sha256: str, at: str
) -> set[str]:
    """What was brought of a batch that was left out stands: fold it. Gives the devices it speaks of."""
    devs: set[str] = set()
    for (dev, ep, by, role), told in groupby(fallen_of(connection, local, sha256=sha256), _author):
        each = sorted(told, key=lambda line: line.line.n)
        place = door.origin_of(connection, dev, ep)
        whole = batch_of(dev, ep, by=by, lines=[line.line for line in each])
        group = Group(whole, role, place, compare(connection, whole, origin=place, at=at))
        devs |= fold_group(connection, door, group, at=at, came={line.line.n: line.came for line in each})
    return devs


def _author(line: StoredLine) -> tuple[str, int, str | None, str]:
    return line.dev, line.ep, line.by, line.role or ""
