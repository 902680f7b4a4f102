"""THE door: a signed batch comes in, is verified, folded and receipted in one transaction. A clerk's form takes the same
way, as operations of this server signed with its own key. Nothing else writes register tables."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from app.database import Database
from app.ledger import bulk
from app.ledger.areas import Areas
from app.ledger.fold import Author, Disposition, Entity, Fold, Registry
from app.ledger.lines import compress, lines_at
from app.ledger.node import Identity, Standing, SteadyClock, read_standing
from app.ledger.senders import BAD_SIGNATURE, GRANT_REQUIRED, Sender, admit, sender_of
from app.ledger.tables import batch, fork, origin, quarantine
from app.ledger.trays import stop_waiting_for
from app.territory.places import Territory
from sync.ledger import Ranges
from sync.protocol import (
    BATCH_BYTES,
    BATCH_OPERATIONS,
    Batch,
    Header,
    Line,
    Unreadable,
    dot,
    read_batch,
    write_batch,
    write_line,
)
from sync.seal import BadSignature, detached_kid, sign_detached, verify_detached

_HASH = re.compile(r"[0-9a-f]{64}")
ROOM = 4096


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as sent: its JSON text and the detached signature over exactly these bytes."""

    text: str
    signature: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """A batch whose signature was verified, before anything is known of its content."""

    sender: Sender
    data: bytes
    signature: str
    sha256: str


class Door:
    """The one way in of a server. One instance per process; safe for threads."""

    def __init__(
        self,
        database: Database,
        identity: Identity,
        clock: SteadyClock,
        registry: Registry,
        territory: Territory,
    ) -> None:
        self.database = database
        self.identity = identity
        self.clock = clock
        self.registry = registry
        self.territory = territory
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
        self, connection: sa.Connection, data: bytes, signature: str, grant: str | None = None
    ) -> Envelope:
        """Check who signed these bytes. Raises `bad_signature` (400), `grant_required` or `unknown_device` (401)."""
        try:
            kid = detached_kid(signature)
        except BadSignature as error:
            raise BAD_SIGNATURE() from error
        sender = self._sender(connection, kid) or self._admit(connection, kid, grant)
        try:
            verify_detached(sender.public, data, signature, kid=kid, typ="batch")
        except BadSignature as error:
            raise BAD_SIGNATURE() from error
        return Envelope(sender, data, signature, hashlib.sha256(data).hexdigest())

    def accept(self, data: bytes, signature: str, *, grant: str | None = None) -> Receipt:
        """Take one batch of a device: its receipt, stored before it is returned, the same again for a repeat."""
        with self.database.read() as connection:
            known = self._sender(connection, _kid(signature)) is not None
            if known:
                envelope = self.verify(connection, data, signature)
                if repeated := _receipt_of(connection, envelope.sha256):
                    return repeated
        if not known:
            with self.database.write() as connection:
                envelope = self.verify(connection, data, signature, grant)
        readable = _read(envelope)
        with self.database.write() as connection:
            return self._take(connection, envelope, readable)

    def accept_many(self, connection: sa.Connection, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Take verified batches (a bundle) in the caller's transaction, in the order given."""
        return [self._take(connection, envelope, _read(envelope)) for envelope in envelopes]

    def sender(self, dev: str) -> Sender | None:
        """A device this node knows; None for any other."""
        with self.database.read() as connection:
            return self._sender(connection, dev)

    def _sender(self, connection: sa.Connection, dev: str) -> Sender | None:
        found = self._senders.get(dev) or sender_of(connection, dev)
        if found is None and dev == self.identity.dev:
            found = self._self()
        if found is not None:
            with self._lock:
                self._senders[dev] = found
        return found

    def _admit(self, connection: sa.Connection, dev: str, grant: str | None) -> Sender:
        if not grant:
            raise GRANT_REQUIRED()
        return admit(connection, self.standing, grant, dev=dev)

    def _self(self) -> Sender:
        areas = (self.standing.commune,) if self.standing.commune else ()
        return Sender(
            self.identity.dev,
            self.identity.key.public,
            self.standing.role,
            "",
            areas,
            "",
            self.standing.grant,
        )

    def _take(self, connection: sa.Connection, envelope: Envelope, readable: Batch | str) -> Receipt:
        bulk.lock_door(connection)
        if repeated := _receipt_of(connection, envelope.sha256):
            return repeated
        at = self.clock.received_at()
        if isinstance(readable, str):
            return self._set_aside(connection, envelope, readable, at)
        if (
            connection.execute(sa.select(batch.c.id).where(batch.c.sha256 == envelope.sha256)).scalar()
            is not None
        ):
            return self._receipt_own(connection, envelope, readable.header, at)
        dispositions, local = self._fold(connection, envelope, readable, at)
        header = readable.header
        receipt = self._receipt(envelope, header, dispositions, at)
        self._keep(connection, envelope, header, local, at, receipt)
        return receipt

    def _receipt(
        self, envelope: Envelope, header: Header | None, dispositions: Mapping[str, Disposition], at: str
    ) -> Receipt:
        text = orjson.dumps(
            {
                "node": self.identity.dev,
                "dev": envelope.sender.dev,
                "ep": header.ep if header else None,
                "from": header.from_ if header else None,
                "to": header.to if header else None,
                "sha256": envelope.sha256,
                "received_at": at,
                "dispositions": dispositions,
            }
        )
        return Receipt(
            text.decode(), sign_detached(self.identity.key, text, kid=self.identity.dev, typ="receipt")
        )

    def _receipt_own(self, connection: sa.Connection, envelope: Envelope, header: Header, at: str) -> Receipt:
        """A batch this server wrote itself comes back to it: it has everything, and says so."""
        receipt = self._receipt(envelope, header, {}, at)
        values = {"receipt": receipt.text, "receipt_signature": receipt.signature}
        connection.execute(batch.update().where(batch.c.sha256 == envelope.sha256).values(values))
        return receipt

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
        ranges, prev = self._own_position(connection)
        results: dict[str, Disposition] = {}
        start = 0
        for lines in _portions([write_line(operation) for operation in operations]):
            first = ranges + start + 1
            header = Header(1, self.identity.dev, self.identity.ep, first, first + len(lines) - 1, prev, by)
            data = write_batch(header, lines)
            signature = sign_detached(self.identity.key, data, kid=self.identity.dev, typ="batch")
            envelope = Envelope(self._self(), data, signature, hashlib.sha256(data).hexdigest())
            readable = read_batch(data)
            _refuse_unreadable(readable)
            dispositions, local = self._fold(connection, envelope, readable, at)
            self._keep(connection, envelope, header, local, at, None)
            results.update({str(int(n) - ranges - 1): found for n, found in dispositions.items()})
            start += len(lines)
            prev = envelope.sha256
        return results

    def _own_position(self, connection: sa.Connection) -> tuple[int, str | None]:
        query = (
            sa.select(batch.c.to_n, batch.c.sha256)
            .join(origin, origin.c.id == batch.c.origin)
            .where(origin.c.dev == self.identity.dev, origin.c.ep == self.identity.ep)
            .order_by(batch.c.from_n.desc())
            .limit(1)
        )
        row = connection.execute(query).one_or_none()
        return (row.to_n, row.sha256) if row else (0, None)

    # -- folding and keeping -----------------------------------------------------------------------------------

    def _fold(
        self, connection: sa.Connection, envelope: Envelope, readable: Batch, at: str
    ) -> tuple[dict[str, Disposition], int]:
        header, sender = readable.header, envelope.sender
        local, held = _origin(connection, header)
        skip, forks = self._repeated(connection, readable, local, held, at)
        commune = sender.commune(self.territory.commune_of)
        author = Author(
            sender.dev, header.ep, local, sender.role, commune, header.by, header.from_, header.to
        )
        fold = self._run(connection, author, readable.lines, skip, forks, at)
        if fold.quarantined:
            area = self.areas.id(self.areas.fallback(commune))
            rows = [_aside(envelope, header, line, reason, area, at) for line, reason in fold.quarantined]
            connection.execute(quarantine.insert(), rows)
        stop_waiting_for(connection, dev=sender.dev, ep=header.ep, first=header.from_, last=header.to)
        held.add(header.from_, header.to)
        ranges = orjson.dumps(held.to_list()).decode()
        connection.execute(origin.update().where(origin.c.id == local).values(ranges=ranges))
        return fold.dispositions, local

    def _run(
        self,
        connection: sa.Connection,
        author: Author,
        lines: Sequence[Line],
        skip: Mapping[int, Disposition],
        forks: Sequence[Entity],
        at: str,
    ) -> Fold:
        """Creation is optimistic: nearly all operations write down something new, and asking first costs a query."""
        try:
            with connection.begin_nested():
                fold = Fold(connection, self.registry, self.areas, author, at=at, probe=False)
                fold.run(lines, skip=skip, forks=forks)
                return fold
        except sa.exc.IntegrityError:
            fold = Fold(connection, self.registry, self.areas, author, at=at, probe=True)
            fold.run(lines, skip=skip, forks=forks)
            return fold

    def _repeated(
        self, connection: sa.Connection, readable: Batch, local: int, held: Ranges, at: str
    ) -> tuple[dict[int, Disposition], list[Entity]]:
        """Operation numbers already held: the same line is a duplicate, another line under the same dot a fork."""
        numbers = [line.n for line in readable.lines if line.n in held] if held.to_list() else []
        if not numbers:
            return {}, []
        stored = lines_at(connection, [(local, n) for n in numbers])
        skip: dict[int, Disposition] = {}
        entities: list[Entity] = []
        dots: set[str] = set()
        header = readable.header
        for line in readable.lines:
            others = stored.get((local, line.n), [])
            if any(each.line.raw == line.raw for each in others):
                skip[line.n] = {"status": "duplicate"}
            elif others:
                skip[line.n] = {"status": "fork"}
                dots.add(dot(header.dev, header.ep, line.n))
                entities.extend((o.kind, o.id) for each in others if (o := each.line.operation) is not None)
        fresh = (
            dots - set(connection.execute(sa.select(fork.c.dot).where(fork.c.dot.in_(dots))).scalars())
            if dots
            else set()
        )
        if fresh:
            connection.execute(
                fork.insert(), [{"dot": each, "dev": header.dev, "at": at} for each in sorted(fresh)]
            )
        return skip, entities

    def _keep(
        self,
        connection: sa.Connection,
        envelope: Envelope,
        header: Header,
        local: int,
        at: str,
        receipt: Receipt | None,
    ) -> None:
        prev = header.prev if header.prev and _HASH.fullmatch(header.prev) else None
        connection.execute(
            batch.insert().values(
                origin=local,
                dev=envelope.sender.dev,
                from_n=header.from_,
                to_n=header.to,
                sha256=envelope.sha256,
                prev=prev,
                signature=envelope.signature,
                content=compress(envelope.data),
                received_at=at,
                receipt=receipt.text if receipt else None,
                receipt_signature=receipt.signature if receipt else None,
            )
        )
        self._contact(
            connection,
            envelope.sender.dev,
            at,
            gap=self._prev_differs(connection, header, local, prev, envelope.sha256),
        )

    @staticmethod
    def _prev_differs(
        connection: sa.Connection, header: Header, local: int, prev: str | None, sha256: str
    ) -> bool:
        near = sa.select(batch.c.from_n, batch.c.to_n, batch.c.sha256, batch.c.prev).where(
            batch.c.origin == local
        )
        before = near.where(batch.c.from_n < header.from_).order_by(batch.c.from_n.desc()).limit(1)
        after = near.where(batch.c.from_n == header.to + 1).limit(1)
        for row in connection.execute(
            sa.union_all(sa.select(before.subquery()), sa.select(after.subquery()))
        ):
            if row.to_n == header.from_ - 1 and row.sha256 != prev:
                return True
            if row.from_n == header.to + 1 and row.prev != sha256:
                return True
        return False

    @staticmethod
    def _contact(connection: sa.Connection, dev: str, at: str, *, gap: bool = False) -> None:
        connection.execute(
            sa.text(
                "INSERT INTO device_contact (dev, last_contact, prev_gap) VALUES (:dev, :at, :gap) "
                "ON CONFLICT (dev) DO UPDATE SET last_contact = excluded.last_contact, "
                "prev_gap = device_contact.prev_gap OR excluded.prev_gap"
            ),
            {"dev": dev, "at": at, "gap": gap},
        )

    def _set_aside(self, connection: sa.Connection, envelope: Envelope, reason: str, at: str) -> Receipt:
        """A signed batch whose header or framing cannot be read: kept whole, visible, receipted, not folded."""
        receipt = self._receipt(envelope, None, {"0": {"status": "quarantined", "reason": reason}}, at)
        connection.execute(
            batch.insert().values(
                dev=envelope.sender.dev,
                sha256=envelope.sha256,
                signature=envelope.signature,
                content=compress(envelope.data),
                received_at=at,
                receipt=receipt.text,
                receipt_signature=receipt.signature,
            )
        )
        area = self.areas.id(self.areas.fallback(envelope.sender.commune(self.territory.commune_of)))
        line = Line(0, envelope.data, None, reason)
        connection.execute(quarantine.insert(), [_aside(envelope, None, line, reason, area, at)])
        self._contact(connection, envelope.sender.dev, at)
        return receipt


def _kid(signature: str) -> str:
    try:
        return detached_kid(signature)
    except BadSignature as error:
        raise BAD_SIGNATURE() from error


def _read(envelope: Envelope) -> Batch | str:
    try:
        readable = read_batch(envelope.data)
    except Unreadable as error:
        return error.reason
    return readable if readable.header.dev == envelope.sender.dev else "foreign_header"


def _refuse_unreadable(readable: Batch) -> None:
    for line in readable.lines:
        if line.operation is None:
            raise Unreadable(line.reason or "unreadable")


def _portions(lines: Sequence[bytes]) -> list[list[bytes]]:
    """Cut operations into batches within the limits of the protocol."""
    portions: list[list[bytes]] = [[]]
    size = ROOM
    for line in lines:
        if portions[-1] and (len(portions[-1]) >= BATCH_OPERATIONS or size + len(line) + 1 > BATCH_BYTES):
            portions.append([])
            size = ROOM
        portions[-1].append(line)
        size += len(line) + 1
    return portions


def _receipt_of(connection: sa.Connection, sha256: str) -> Receipt | None:
    row = connection.execute(
        sa.select(batch.c.receipt, batch.c.receipt_signature).where(batch.c.sha256 == sha256)
    ).one_or_none()
    return Receipt(row.receipt, row.receipt_signature) if row and row.receipt else None


def _origin(connection: sa.Connection, header: Header) -> tuple[int, Ranges]:
    row = connection.execute(
        sa.select(origin.c.id, origin.c.ranges).where(origin.c.dev == header.dev, origin.c.ep == header.ep)
    ).one_or_none()
    if row is not None:
        return row.id, Ranges.from_list(orjson.loads(row.ranges))
    made = connection.execute(origin.insert().values(dev=header.dev, ep=header.ep, ranges="[]"))
    key = made.inserted_primary_key
    assert key is not None
    return int(key[0]), Ranges()


def _aside(
    envelope: Envelope, header: Header | None, line: Line, reason: str, area: int | None, at: str
) -> dict[str, Any]:
    return {
        "dev": envelope.sender.dev,
        "ep": header.ep if header else None,
        "n": line.n if header else None,
        "sha256": envelope.sha256,
        "reason": reason,
        "line": line.raw,
        "area": area,
        "at": at,
    }
