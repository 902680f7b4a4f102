"""THE door: a signed batch comes in, is verified, folded and receipted in one transaction. A clerk's form takes the
same way, as operations of this server signed with its own key. Nothing else writes register tables."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from app.database import Database
from app.ledger import bulk, keeping
from app.ledger.areas import Areas
from app.ledger.creating import Creating, Reader
from app.ledger.entry import Author, Decoded, Disposition, Framed, Touched
from app.ledger.fold import Fold
from app.ledger.holding import Held, compare
from app.ledger.keeping import Envelope, Origin, Receipt
from app.ledger.lines import decompress, falls
from app.ledger.node import Identity, Standing, SteadyClock, read_standing
from app.ledger.projection import Registry
from app.ledger.remarks import Remarks, remarks
from app.ledger.revocation import REASON, Verdict, verdict_of
from app.ledger.senders import BAD_SIGNATURE, GRANT_REQUIRED, Sender, admit, bind, sender_of
from app.ledger.settling import settle, tell_again
from app.ledger.sorting import Readable, Sorted, sort_lines
from app.ledger.tables import batch, origin
from app.ledger.trays import stop_waiting_for
from app.ledger.unfolding import Position, amend_return
from app.territory.places import Territory
from sync.protocol import (
    BATCH_BYTES,
    BATCH_OPERATIONS,
    Batch,
    Header,
    Line,
    Unreadable,
    read_batch,
    read_frame,
    read_one,
    write_batch,
    write_line,
)
from sync.seal import BadSignature, detached_kid, sign_detached, verify_detached

ROOM = 4096


@dataclass(frozen=True, slots=True)
class Folded:
    """What came of folding a batch: dispositions by number, its origin, does it stand, the devices it speaks of."""

    dispositions: dict[str, Disposition]
    origin: Origin
    stands: bool
    devices: set[str]
    remarks: Remarks


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
        """A device as its grant stands now, which the command line may have changed; None for any not known here."""
        with self.database.read() as connection:
            return sender_of(connection, dev, standing=self.standing)

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
        folded = self._fold(connection, envelope, readable, at=at)
        receipt = keeping.make_receipt(
            self.identity, envelope, header=header, dispositions=folded.dispositions, at=at
        )
        self._keep(
            connection,
            envelope,
            header=header,
            folded=folded,
            at=at,
            receipt=receipt,
            content=readable.content,
        )
        return receipt

    def _keep(
        self,
        connection: sa.Connection,
        envelope: Envelope,
        *,
        header: Header,
        folded: Folded,
        at: str,
        receipt: Receipt | None,
        content: bytes | None = None,
    ) -> None:
        """Store a folded batch; then whatever it says of devices, or lets stand of a revoked one, takes effect."""
        # What the province brought of it before was folded: then there is something to take out.
        stands = folded.stands or folded.origin.brought.has_any(header.from_, header.to)
        keeping.keep_batch(
            connection, envelope, header=header, local=folded.origin.local, at=at, receipt=receipt, content=content,
            stands=stands, remarked=folded.remarks,
        )  # fmt: skip
        devs = folded.devices
        if folded.origin.revoked:
            devs = devs | {header.dev}
            tell_again(connection, self.areas, header.dev)
        if devs:
            self.settle(connection, devs, at=at)

    def settle(self, connection: sa.Connection, devs: set[str], *, at: str) -> None:
        """Something was said of these devices: let stand of their batches what stands now."""
        with self._lock:
            for dev in devs:
                self._senders.pop(dev, None)
        settle(connection, self, devs, at=at)

    def verdict(self, connection: sa.Connection, dev: str) -> Verdict:
        """What is said here of a device: which of its batches stand, and whether it may still pull."""
        return verdict_of(connection, dev, standing=self.standing, commune_of=self.territory.commune_of)

    def fold_back(self, connection: sa.Connection, row: sa.Row[Any], *, at: str) -> set[str]:
        """A batch that was left out stands: fold it as if it came now. Gives the devices it speaks of."""
        sender = self._sender(connection, row.dev)
        if sender is None:
            return set()
        envelope = Envelope.seal(sender, decompress(row.content), signature=row.signature)
        found = read_batch(envelope.data)
        fallen = Readable(Batch(found.header, [line for line in found.lines if falls(line)]), None)
        return self._fold(connection, envelope, fallen, at=at, row=row, stands=True).devices

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
        return Readable(Framed(header, raws), found, taken.content, lines)

    def _set_aside(self, connection: sa.Connection, envelope: Envelope, reason: str, *, at: str) -> Receipt:
        """A signed batch whose header or framing cannot be read: kept whole, visible, receipted, not folded."""
        dispositions = {"0": {"status": "quarantined", "reason": reason}}
        receipt = keeping.make_receipt(self.identity, envelope, header=None, dispositions=dispositions, at=at)
        keeping.keep_batch(connection, envelope, header=None, local=None, at=at, receipt=receipt)
        self._quarantine_whole(connection, envelope, reason, at=at)
        return receipt

    def _quarantine_whole(
        self, connection: sa.Connection, envelope: Envelope, reason: str, *, at: str
    ) -> None:
        whole = [(Line(0, envelope.data, None, reason), reason)]
        self._keep_aside(connection, envelope, whole, header=None, at=at)

    def _keep_aside(
        self,
        connection: sa.Connection,
        envelope: Envelope,
        lines: Sequence[tuple[Line, str]],
        *,
        header: Header | None,
        at: str,
    ) -> None:
        area = self._aside_area(envelope)
        dev, sha256, ep = envelope.sender.dev, envelope.sha256, header.ep if header else None
        keeping.set_aside(connection, lines, dev=dev, sha256=sha256, ep=ep, area=area, at=at)

    def fold_again(self, connection: sa.Connection, envelope: Envelope, *, number: int, at: str) -> int:
        """Fold the stored batch `number`, received at `at`, into registers that hold only those before it; how many
        operations it has. Stores and receipts nothing: the batch is kept as it is."""
        readable = self._read(envelope)
        if isinstance(readable, str):
            self._quarantine_whole(connection, envelope, readable, at=at)
            return 0
        unfolded = sa.select(batch.c.unfolded).where(batch.c.id == number)
        stands = not connection.execute(unfolded).scalar()
        self._fold(connection, envelope, readable, at=at, before=number, stands=stands)
        return len(readable.batch.lines)

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
            folded = self._fold(connection, envelope, Readable(readable, None), at=at)
            self._keep(connection, envelope, header=header, folded=folded, at=at, receipt=None)
            results |= {str(int(n) - last - 1): found for n, found in folded.dispositions.items()}
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
        self,
        connection: sa.Connection,
        envelope: Envelope,
        readable: Readable,
        *,
        at: str,
        before: int | None = None,
        row: sa.Row[Any] | None = None,
        stands: bool | None = None,
    ) -> Folded:
        """Fold a batch that arrives, or one that stands again (`row`); `stands` where that is decided already."""
        header, sender = readable.batch.header, envelope.sender
        place = self.origin_of(connection, header.dev, header.ep)
        if place.fresh:
            bind(connection, sender, standing=self.standing)
        if stands is None:
            stands = not place.revoked or self._stands(connection, envelope, header, place)
        batch = readable.batch
        told = batch if stands else Batch(header, [each for each in batch.lines if not falls(each)])
        held = compare(connection, told, origin=place, at=at, before=before)
        held.stands, held.probe = stands, place.revoked
        commune = sender.commune(self.territory.commune_of)
        author = Author(
            sender.dev, header.ep, place.local, sender.role, commune, header.by, header.from_, header.to
        )
        came_at = None if row is None else lambda n: (row.id, 0)
        fold = self.fold(connection, author, readable, held=held, at=at, came_at=came_at)
        if not stands:
            keeping.no_longer_aside(connection, envelope.sha256)
        self._keep_aside(connection, envelope, fold.quarantined, header=header, at=at)
        if row is None:
            stop_waiting_for(connection, dev=sender.dev, ep=header.ep, first=header.from_, last=header.to)
            place.ranges.add(header.from_, header.to)
            keeping.keep_ranges(connection, place.local, place.ranges)
        remarked = remarks(
            sender, header, lines=readable.told(fold.touched), touched=fold.touched, areas=self.areas
        )
        return Folded(fold.dispositions, place, stands, fold.touched.ids("device"), remarked)

    def origin_of(self, connection: sa.Connection, dev: str, ep: int) -> Origin:
        """The origin of (dev, ep), made at its first operation."""
        return keeping.origin_of(
            connection, dev, ep, is_revoked=lambda: bool(self.verdict(connection, dev).revoked)
        )

    def _stands(self, connection: sa.Connection, envelope: Envelope, header: Header, place: Origin) -> bool:
        chain = keeping.chain_of(connection, place.local)
        prev = {sha256: each.prev for sha256, each in chain.items()} | {envelope.sha256: header.prev}
        return envelope.sha256 in self.verdict(connection, header.dev).stands(header.ep, prev)

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
        """Fold lines under the door's lock; what is kept of them is the caller's business. `came_at(n)`: they were left
        out, and stand again with the place they once had.

        Creation is optimistic: nearly all operations write down something new, and asking first costs a query.
        """
        found = readable.sorted
        if held.skip or found is None or not held.stands:
            found = self._sort(readable.batch, author.role, held)
        if held.probe or came_at is not None:
            return self._once(connection, author, found, held=held, at=at, probe=True, came_at=came_at)
        try:
            with connection.begin_nested():
                return self._once(connection, author, found, held=held, at=at, probe=False)
        except sa.exc.IntegrityError:
            found = self._sort(readable.batch, author.role, held)
            return self._once(connection, author, found, held=held, at=at, probe=True)

    def _sort(self, readable: Decoded, role: str, held: Held) -> Sorted:
        if held.stands:
            return sort_lines(self.registry, readable.lines, role=role, skip=held.skip, again=held.again)
        lines = [each for each in readable.lines if not falls(each)]
        found = sort_lines(self.registry, lines, role=role, skip=held.skip, again=held.again)
        for line in filter(falls, readable.lines):
            found.quarantined.append((line, REASON))
            found.dispositions[str(line.n)] = {"status": "quarantined", "reason": REASON}
        return found

    def _once(
        self,
        connection: sa.Connection,
        author: Author,
        found: Sorted,
        *,
        held: Held,
        at: str,
        probe: bool,
        came_at: Callable[[int], Position] | None = None,
    ) -> Fold:
        fold = Fold(
            connection, self.registry, areas=self.areas, author=author, found=found, at=at, probe=probe
        )

        def amend(touched: Touched) -> None:
            if came_at is not None:
                amend_return(connection, touched, local=author.origin, came_at=came_at)

        fold.run(forks=held.entities, amend=amend)
        return fold


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
