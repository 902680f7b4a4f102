"""THE door: a signed batch comes in, is verified, folded and receipted in one transaction. A clerk's form takes the
same way, as operations of this server signed with its own key. Nothing else writes register tables."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import orjson
import sqlalchemy as sa

from app.database import Database
from app.ledger import bulk, keeping
from app.ledger.areas import Areas
from app.ledger.creating import Creating, Reader
from app.ledger.entry import Author, Disposition, Entity
from app.ledger.fold import Fold
from app.ledger.keeping import Envelope, Receipt
from app.ledger.lines import StoredLine, lines_at
from app.ledger.node import Identity, Standing, SteadyClock, read_standing
from app.ledger.projection import Registry
from app.ledger.senders import BAD_SIGNATURE, GRANT_REQUIRED, Sender, admit, sender_of
from app.ledger.sorting import Sorted, sort_lines
from app.ledger.tables import batch, origin
from app.ledger.trays import stop_waiting_for
from app.territory.places import Territory
from sync.protocol import (
    BATCH_BYTES,
    BATCH_OPERATIONS,
    Batch,
    Header,
    Line,
    Unreadable,
    dot,
    read_batch,
    read_frame,
    read_one,
    write_batch,
    write_line,
)
from sync.seal import BadSignature, detached_kid, sign_detached, verify_detached

ROOM = 4096


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
class Readable:
    """A batch, its lines sorted as if none of them were held already, and the form in which its bytes are stored."""

    batch: Decoded
    sorted: Sorted | None
    content: bytes | None = None


class Held:
    """What is known already of the operation numbers in a batch: repeated lines, and dots under which two stand."""

    __slots__ = ("again", "dots", "entities", "skip")

    def __init__(self) -> None:
        self.skip: dict[int, Disposition] = {}
        self.again: set[int] = set()
        self.dots: set[str] = set()
        self.entities: list[Entity] = []

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


class Door:
    """The one way in of a server. One instance per process; safe for threads."""

    def __init__(
        self,
        database: Database,
        identity: Identity,
        *,
        clock: SteadyClock,
        registry: Registry,
        territory: Territory,
    ) -> None:
        self.database = database
        self.identity = identity
        self.clock = clock
        self.registry = registry
        self.territory = territory
        self.reader: Reader = Creating(registry)
        self._senders: dict[str, Sender] = {}
        self._lock = threading.Lock()
        with database.read() as connection:
            self.areas = Areas(connection, territory)
            self.standing = read_standing(connection)

    def refresh(self) -> Standing:
        """Read the node's standing again (after `upstream join`, or another process's change)."""
        with self.database.read() as connection:
            self.standing = read_standing(connection)
        return self.standing

    # -- batches of devices ------------------------------------------------------------------------------------

    def verify(
        self, connection: sa.Connection, data: bytes, signature: str, *, grant: str | None = None
    ) -> Envelope:
        """Check who signed these bytes. Raises `bad_signature` (400), `grant_required` or `unknown_device` (401)."""
        kid = _kid(signature)
        sender = self._sender(connection, kid)
        if sender is None:
            if not grant:
                raise GRANT_REQUIRED()
            sender = admit(connection, self.standing, grant, dev=kid)
        return _checked(sender, data, signature)

    def accept(self, data: bytes, signature: str, *, grant: str | None = None) -> Receipt:
        """Take one batch of a device: its receipt, stored before it is returned, the same again for a repeat."""
        envelope: Envelope | None = None
        with self.database.read() as connection:
            sender = self._remembered(connection, _kid(signature))
            if sender is not None:
                envelope = _checked(sender, data, signature)
                _, repeated = keeping.held_batch(connection, envelope.sha256)
                if repeated is not None:
                    return repeated
        if envelope is None:
            with self.database.write() as connection:
                envelope = self.verify(connection, data, signature, grant=grant)
        readable = self._read(envelope)
        with self.database.write() as connection:
            return self._take(connection, envelope, readable)

    def accept_many(self, connection: sa.Connection, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Take verified batches (a bundle) in the caller's transaction, in the order given."""
        return [self._take(connection, envelope, self._read(envelope)) for envelope in envelopes]

    def sender(self, dev: str) -> Sender | None:
        """A device this node knows; None for any other."""
        with self.database.read() as connection:
            return self._remembered(connection, dev)

    def _sender(self, connection: sa.Connection, dev: str) -> Sender | None:
        if dev == self.identity.dev:
            return self.own_sender()
        return self._senders.get(dev) or sender_of(connection, dev, standing=self.standing)

    def _remembered(self, connection: sa.Connection, dev: str) -> Sender | None:
        """Only what a committed transaction left may be remembered: never called inside one that writes."""
        found = self._sender(connection, dev)
        if found is not None:
            with self._lock:
                self._senders[dev] = found
        return found

    def own_sender(self) -> Sender:
        """This server as a writer of operations."""
        identity, standing = self.identity, self.standing
        areas = (standing.commune,) if standing.commune else ()
        return Sender(identity.dev, identity.key.public, standing.role, "", areas, "", standing.grant)

    def _take(self, connection: sa.Connection, envelope: Envelope, readable: Readable | str) -> Receipt:
        bulk.lock_door(connection)
        held, repeated = keeping.held_batch(connection, envelope.sha256)
        if repeated is not None:
            return repeated
        at = self.clock.received_at()
        if isinstance(readable, str):
            return self._set_aside(connection, envelope, readable, at=at)
        header = readable.batch.header
        if held:
            receipt = keeping.make_receipt(self.identity, envelope, header=header, dispositions={}, at=at)
            keeping.keep_own_receipt(connection, envelope.sha256, receipt)
            return receipt
        dispositions, local = self._fold(connection, envelope, readable, at=at)
        receipt = keeping.make_receipt(
            self.identity, envelope, header=header, dispositions=dispositions, at=at
        )
        keeping.keep_batch(
            connection, envelope, header=header, local=local, at=at, receipt=receipt, content=readable.content
        )
        return receipt

    def _read(self, envelope: Envelope) -> Readable | str:
        """Decode and sort before any lock is taken; the reason where header or framing cannot be read."""
        try:
            header, raws = read_frame(envelope.data)
        except Unreadable as error:
            return error.reason
        if header.dev != envelope.sender.dev:
            return "foreign_header"
        role, home = envelope.sender.role, envelope.sender.commune(self.territory.commune_of)
        fallback = self.areas.fallback(home)
        taken = self.reader.take(header, raws, data=envelope.data, role=role, home=home, fallback=fallback)
        lines = [read_one(raws[n - header.from_], n, header=header) for n in taken.left]
        found = sort_lines(self.registry, lines, role=role, skip={})
        found.touched.blocks = taken.blocks
        return Readable(Framed(header, raws), found, taken.content)

    def _set_aside(self, connection: sa.Connection, envelope: Envelope, reason: str, *, at: str) -> Receipt:
        """A signed batch whose header or framing cannot be read: kept whole, visible, receipted, not folded."""
        dispositions = {"0": {"status": "quarantined", "reason": reason}}
        receipt = keeping.make_receipt(self.identity, envelope, header=None, dispositions=dispositions, at=at)
        keeping.keep_batch(connection, envelope, header=None, local=None, at=at, receipt=receipt)
        whole = [(Line(0, envelope.data, None, reason), reason)]
        keeping.set_aside(connection, envelope, whole, header=None, area=self._aside_area(envelope), at=at)
        return receipt

    def _aside_area(self, envelope: Envelope) -> int | None:
        return self.areas.id(self.areas.fallback(envelope.sender.commune(self.territory.commune_of)))

    # -- this server's own operations --------------------------------------------------------------------------

    def write(
        self, connection: sa.Connection, operations: Sequence[Mapping[str, Any]], *, by: str
    ) -> dict[str, Disposition]:
        """Seal operations of this server and fold them in the caller's transaction.

        `operations` are protocol lines as mappings; `by` the officer's id. Gives {position: disposition} of those that
        were not simply applied. Raises Unreadable on an operation the protocol cannot carry.
        """
        bulk.lock_door(connection)
        at = self.clock.received_at()
        last, prev = self._own_position(connection)
        results: dict[str, Disposition] = {}
        done = 0
        for lines in _portions([_line(operation) for operation in operations]):
            first = last + done + 1
            header = Header(1, self.identity.dev, self.identity.ep, first, first + len(lines) - 1, prev, by)
            envelope, readable = self._seal(header, lines)
            dispositions, local = self._fold(connection, envelope, Readable(readable, None), at=at)
            keeping.keep_batch(connection, envelope, header=header, local=local, at=at, receipt=None)
            results |= {str(int(n) - last - 1): found for n, found in dispositions.items()}
            done += len(lines)
            prev = envelope.sha256
        return results

    def _seal(self, header: Header, lines: Sequence[bytes]) -> tuple[Envelope, Batch]:
        data = write_batch(header, lines)
        readable = read_batch(data)
        for line in readable.lines:
            if line.operation is None:
                raise Unreadable(line.reason or "unreadable")
        signature = sign_detached(self.identity.key, data, kid=self.identity.dev, typ="batch")
        return Envelope.seal(self.own_sender(), data, signature=signature), readable

    def _own_position(self, connection: sa.Connection) -> tuple[int, str | None]:
        query = (
            sa.select(batch.c.to_n, batch.c.sha256)
            .join(origin, origin.c.id == batch.c.origin)
            .where(origin.c.dev == self.identity.dev, origin.c.ep == self.identity.ep)
            .order_by(batch.c.from_n.desc())
            .limit(1)
        )
        row = connection.execute(query).one_or_none()
        last, prev = (row.to_n, row.sha256) if row else (0, None)
        own = sa.select(origin.c.brought).where(
            origin.c.dev == self.identity.dev, origin.c.ep == self.identity.ep
        )
        if brought := connection.execute(own).scalar():
            # The province knows more of this epoch than this database: a restore nobody noticed in time.
            last = max(last, orjson.loads(brought)[-1][1])
        return last, prev

    # -- folding -----------------------------------------------------------------------------------------------

    def _fold(
        self, connection: sa.Connection, envelope: Envelope, readable: Readable, *, at: str
    ) -> tuple[dict[str, Disposition], int]:
        header, sender = readable.batch.header, envelope.sender
        place = keeping.origin_of(connection, header.dev, header.ep)
        local, ranges = place.local, place.ranges
        held = self.compare(connection, readable.batch, origin=place, at=at)
        commune = sender.commune(self.territory.commune_of)
        author = Author(
            sender.dev, header.ep, local, sender.role, commune, header.by, header.from_, header.to
        )
        fold = self.fold(connection, author, readable, held=held, at=at)
        keeping.set_aside(
            connection,
            envelope,
            fold.quarantined,
            header=header,
            area=self._aside_area(envelope),
            at=at,
        )
        stop_waiting_for(connection, dev=sender.dev, ep=header.ep, first=header.from_, last=header.to)
        ranges.add(header.from_, header.to)
        keeping.keep_ranges(connection, local, ranges)
        return fold.dispositions, local

    def fold(
        self, connection: sa.Connection, author: Author, readable: Readable, *, held: Held, at: str
    ) -> Fold:
        """Fold lines under the door's lock; what is kept of them is the caller's business.

        Creation is optimistic: nearly all operations write down something new, and asking first costs a query.
        """
        found = readable.sorted
        if held.skip or found is None:
            found = self._sort(readable.batch, author.role, held)
        try:
            with connection.begin_nested():
                return self._once(connection, author, found, held=held, at=at, probe=False)
        except sa.exc.IntegrityError:
            found = self._sort(readable.batch, author.role, held)
            return self._once(connection, author, found, held=held, at=at, probe=True)

    def _sort(self, readable: Decoded, role: str, held: Held) -> Sorted:
        return sort_lines(self.registry, readable.lines, role=role, skip=held.skip, again=held.again)

    def _once(
        self,
        connection: sa.Connection,
        author: Author,
        found: Sorted,
        *,
        held: Held,
        at: str,
        probe: bool,
    ) -> Fold:
        fold = Fold(
            connection, self.registry, areas=self.areas, author=author, found=found, at=at, probe=probe
        )
        fold.run(forks=held.entities)
        return fold

    @staticmethod
    def compare(connection: sa.Connection, readable: Decoded, *, origin: keeping.Origin, at: str) -> Held:
        """Operation numbers already held: the same line is a duplicate, another line under the same dot a fork, which
        is noted."""
        held, header = Held(), readable.header
        if not origin.holds_any(header.from_, header.to):
            return held
        numbers = [line.n for line in readable.lines if origin.holds(line.n)]
        stored = lines_at(connection, [(origin.local, n) for n in numbers])
        for line in readable.lines:
            held.compare(header, line, others=stored.get((origin.local, line.n), ()))
        if held.dots:
            keeping.note_forks(connection, held.dots, dev=header.dev, at=at)
        return held


def _kid(signature: str) -> str:
    try:
        return detached_kid(signature)
    except BadSignature as error:
        raise BAD_SIGNATURE() from error


def _checked(sender: Sender, data: bytes, signature: str) -> Envelope:
    try:
        verify_detached(sender.public, data, signature, kid=sender.dev, typ="batch")
    except BadSignature as error:
        raise BAD_SIGNATURE() from error
    return Envelope.seal(sender, data, signature=signature)


def _line(operation: Mapping[str, Any]) -> bytes:
    try:
        return write_line(operation)
    except TypeError as error:
        raise Unreadable("not_json") from error


def _portions(lines: Sequence[bytes]) -> list[list[bytes]]:
    """Cut operations into batches within the limits of the protocol."""
    portions: list[list[bytes]] = []
    size = 0
    for line in lines:
        full = not portions or len(portions[-1]) >= BATCH_OPERATIONS or size + len(line) + 1 > BATCH_BYTES
        if full:
            portions.append([])
            size = ROOM
        portions[-1].append(line)
        size += len(line) + 1
    return portions
