"""How batches are kept: their bytes, receipt and place in the device's chain, what was set aside, when a device last
came. Nothing is folded here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from app.ledger.entry import Disposition
from app.ledger.lines import compress
from app.ledger.node import Identity
from app.ledger.remarks import NOTHING_REMARKED, Remarks
from app.ledger.revocation import REASON
from app.ledger.senders import Sender
from app.ledger.tables import batch, brought_batch, fork, node, origin, quarantine
from sync.ledger import Ranges
from sync.protocol import Header, Line
from sync.seal import sign_detached

_HASH = re.compile(r"[0-9a-f]{64}")


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

    @classmethod
    def seal(cls, sender: Sender, data: bytes, *, signature: str) -> Envelope:
        """Around verified bytes; the batch's identity is their SHA-256."""
        return cls(sender, data, signature, hashlib.sha256(data).hexdigest())


def make_receipt(
    identity: Identity,
    envelope: Envelope,
    *,
    header: Header | None,
    dispositions: Mapping[str, Disposition],
    at: str,
) -> Receipt:
    """Sign what this node decided about a batch; without a readable header it names no operations."""
    said = {
        "node": identity.dev,
        "dev": envelope.sender.dev,
        "ep": header.ep if header else None,
        "from": header.from_ if header else None,
        "to": header.to if header else None,
        "sha256": envelope.sha256,
        "received_at": at,
        "dispositions": dispositions,
    }
    text = orjson.dumps(said)
    return Receipt(text.decode(), sign_detached(identity.key, text, kid=identity.dev, typ="receipt"))


def held_batch(connection: sa.Connection, sha256: str) -> tuple[bool, Receipt | None]:
    """(is this batch held, its receipt): one this server wrote itself is held without a receipt."""
    row = connection.execute(_HELD, {"named": sha256}).one_or_none()
    if row is None:
        return False, None
    return True, Receipt(row.receipt, row.receipt_signature) if row.receipt else None


def is_heard(connection: sa.Connection, heard: str) -> bool:
    """Whether a batch (`<sha256>:<received_at>`) is held under the receipt somebody has of it. If not, this server was
    put back to an older state, whether or not anybody here could tell."""
    sha256, _, at = heard.partition(":")
    held = sa.select(batch.c.received_at).where(batch.c.sha256 == sha256)
    return connection.execute(held).scalar_one_or_none() == at


def receipts_of(connection: sa.Connection, dev: str, *, ep: int, first: int) -> list[Receipt]:
    """Receipts for batches of (dev, ep) that reach operation `first`, this server's and the province's, as signed.

    Those for batches whose header could not be read are always among them: they are of no epoch.
    """
    columns = [batch.c[name] for name in ("from_n", "id", "receipt", "receipt_signature")]
    columns += [batch.c.province_receipt, batch.c.province_signature]
    sound = (
        sa.select(*columns)
        .join(origin, origin.c.id == batch.c.origin)
        .where(origin.c.dev == dev, origin.c.ep == ep, batch.c.to_n >= first)
    )
    unreadable = sa.select(*columns).where(batch.c.origin.is_(None), batch.c.dev == dev)
    rows = [*connection.execute(sound.order_by(batch.c.from_n, batch.c.id))]
    rows += connection.execute(unreadable.order_by(batch.c.id))
    return [
        Receipt(text, signature)
        for row in rows
        for text, signature in ((row[2], row[3]), (row[4], row[5]))
        if text
    ]


@dataclass(frozen=True, slots=True)
class Origin:
    """One (dev, ep) here: its local number, the operation numbers held in batches, and those the province brought, and
    whether its device is known as revoked."""

    local: int
    ranges: Ranges
    brought: Ranges
    revoked: bool = False

    @property
    def fresh(self) -> bool:
        """Whether no batch of it was ever held."""
        return self.ranges == Ranges()

    def holds(self, n: int) -> bool:
        """Whether a line of this number is here."""
        return n in self.ranges or n in self.brought

    def holds_any(self, first: int, last: int) -> bool:
        """Whether a line of any number from `first` to `last` is here."""
        return self.ranges.has_any(first, last) or self.brought.has_any(first, last)


def numbers_of(row: sa.Row[Any]) -> Ranges:
    """The operation numbers of an origin's row whose lines are here, in batches or brought."""
    return Ranges.from_list(orjson.loads(row.ranges) + orjson.loads(row.brought or "[]"))


def origin_of(connection: sa.Connection, dev: str, ep: int, *, is_revoked: Callable[[], bool]) -> Origin:
    """The origin of (dev, ep), made at its first operation: only then `is_revoked()` is asked."""
    row = connection.execute(_ORIGIN, {"of_dev": dev, "of_ep": ep}).one_or_none()
    if row is not None:
        brought = orjson.loads(row.brought or "[]")
        ranges = Ranges.from_list(orjson.loads(row.ranges))
        return Origin(row.id, ranges, Ranges.from_list(brought), row.revoked)
    revoked = is_revoked()
    made = origin.insert().values(dev=dev, ep=ep, ranges="[]", revoked=revoked).returning(origin.c.id)
    return Origin(int(connection.execute(made).scalar_one()), Ranges(), Ranges(), revoked)


class Known(NamedTuple):
    """One batch of an origin: its number where it is held here (`id`), the one before as its header says, and whether
    it is left out."""

    sha256: str
    prev: str | None
    unfolded: bool
    id: int | None


def chain_of(connection: sa.Connection, local: int) -> dict[str, Known]:
    """The batches of an origin by SHA-256: those held here, and those of which only the province told."""
    found: dict[str, Known] = {}
    for table, number in ((brought_batch, sa.null()), (batch, batch.c.id)):
        columns = (table.c.sha256, table.c.prev, table.c.unfolded, number)
        for sha256, prev, unfolded, held in connection.execute(
            sa.select(*columns).where(table.c.origin == local)
        ):
            found[sha256] = Known(sha256, prev, bool(unfolded), held)
    return found


def keep_ranges(connection: sa.Connection, local: int, ranges: Ranges) -> None:
    """Store which operation numbers of an origin are held."""
    text = orjson.dumps(ranges.to_list()).decode()
    connection.execute(_RANGES, {"at": local, "ranges": text})


def keep_brought(connection: sa.Connection, place: Origin, numbers: Iterable[int]) -> None:
    """Store that lines of these numbers were brought."""
    for n in numbers:
        place.brought.add(n, n)
    text = orjson.dumps(place.brought.to_list()).decode()
    connection.execute(origin.update().where(origin.c.id == place.local).values(brought=text))


def keep_batch(
    connection: sa.Connection,
    envelope: Envelope,
    *,
    header: Header | None,
    local: int | None,
    at: str,
    receipt: Receipt | None,
    content: bytes | None = None,
    stands: bool = True,
    remarked: Remarks = NOTHING_REMARKED,
) -> None:
    """Store the signed bytes with their receipt and note the contact; flags a device whose chain does not fit."""
    prev = header.prev if header and header.prev and _HASH.fullmatch(header.prev) else None
    row = {
        "origin": local,
        "dev": envelope.sender.dev,
        "from_n": header.from_ if header else None,
        "to_n": header.to if header else None,
        "sha256": envelope.sha256,
        "prev": prev,
        "signature": envelope.signature,
        "content": content or compress(envelope.data),
        "received_at": at,
        "receipt": receipt.text if receipt else None,
        "receipt_signature": receipt.signature if receipt else None,
        "unfolded": None if stands else True,
    }
    connection.execute(_KEEP, row)
    gap = header is not None and _breaks_chain(
        connection, header, local=local, prev=prev, sha256=envelope.sha256
    )
    note_contact(connection, envelope.sender.dev, at=at, gap=gap, remarked=remarked)


def keep_own_receipt(connection: sa.Connection, sha256: str, receipt: Receipt) -> None:
    """A batch this server wrote came back to it and was receipted."""
    values = {"receipt": receipt.text, "receipt_signature": receipt.signature}
    connection.execute(batch.update().where(batch.c.sha256 == sha256).values(values))


def keep_province_receipts(connection: sa.Connection, receipts: Sequence[Receipt]) -> None:
    """Store verified receipts of the province, as signed, beside the batches they name; and which is its latest."""
    told = [orjson.loads(each.text) for each in receipts]
    rows = [
        {"b_sha": said["sha256"], "b_receipt": each.text, "b_signature": each.signature}
        for said, each in zip(told, receipts, strict=True)
    ]
    if rows:
        last = max(reversed(told), key=lambda said: said["received_at"])
        at, sha256 = last["received_at"], last["sha256"]
        later = sa.or_(node.c.heard_at.is_(None), node.c.heard_at <= at)
        connection.execute(node.update().where(later).values(heard_sha256=sha256, heard_at=at))
        connection.execute(
            batch.update()
            # A receipt is kept as it first came, also where a restored province gives another.
            .where(batch.c.sha256 == sa.bindparam("b_sha"), batch.c.province_receipt.is_(None))
            .values(
                province_receipt=sa.bindparam("b_receipt"), province_signature=sa.bindparam("b_signature")
            ),
            rows,
        )


def _breaks_chain(
    connection: sa.Connection, header: Header, *, local: int | None, prev: str | None, sha256: str
) -> bool:
    """Whether the batch before names another hash than this one's `prev`, or the one after another `prev`."""
    for row in connection.execute(_NEIGHBOURS, {"of": local, "first": header.from_, "next": header.to + 1}):
        if row.to_n == header.from_ - 1 and row.sha256 != prev:
            return True
        if row.from_n == header.to + 1 and row.prev != sha256:
            return True
    return False


def note_forks(connection: sa.Connection, dots: Collection[str], *, dev: str, at: str) -> list[str]:
    """Note that different lines stand under these dots of a device; gives those nobody knew of."""
    known = connection.execute(sa.select(fork.c.dot).where(fork.c.dot.in_(dots))).scalars()
    fresh = sorted(set(dots).difference(known))
    if fresh:
        connection.execute(fork.insert(), [{"dot": each, "dev": dev, "at": at} for each in fresh])
    return fresh


# Made once: putting a statement together costs more than running it.
_HELD = sa.select(batch.c.receipt, batch.c.receipt_signature).where(batch.c.sha256 == sa.bindparam("named"))
_ORIGIN = sa.select(origin.c.id, origin.c.ranges, origin.c.brought, origin.c.revoked).where(
    origin.c.dev == sa.bindparam("of_dev"), origin.c.ep == sa.bindparam("of_ep")
)
_RANGES = origin.update().where(origin.c.id == sa.bindparam("at"))
_KEEP = batch.insert().inline()
_NEAR = sa.select(batch.c.from_n, batch.c.to_n, batch.c.sha256, batch.c.prev).where(
    batch.c.origin == sa.bindparam("of")
)
_BEFORE = _NEAR.where(batch.c.from_n < sa.bindparam("first")).order_by(batch.c.from_n.desc()).limit(1)
_AFTER = _NEAR.where(batch.c.from_n == sa.bindparam("next")).limit(1)
_NEIGHBOURS = sa.union_all(sa.select(_BEFORE.subquery()), sa.select(_AFTER.subquery()))
_CONTACT = sa.text(
    "INSERT INTO device_contact (dev, last_contact, prev_gap, clock_offset, outside_areas, other_author) "
    "VALUES (:dev, :at, :gap, :ahead, :outside, :other) "
    "ON CONFLICT (dev) DO UPDATE SET last_contact = excluded.last_contact, "
    "prev_gap = device_contact.prev_gap OR excluded.prev_gap, "
    "clock_offset = coalesce(excluded.clock_offset, device_contact.clock_offset), "
    "outside_areas = device_contact.outside_areas + excluded.outside_areas, "
    "other_author = device_contact.other_author + excluded.other_author"
)


def note_contact(
    connection: sa.Connection,
    dev: str,
    *,
    at: str,
    gap: bool = False,
    ahead: float | None = None,
    remarked: Remarks = NOTHING_REMARKED,
) -> None:
    """A device came: whether its chain broke, and by how many seconds its clock is ahead of ours, where it says."""
    counts = {"outside": remarked.outside_areas, "other": remarked.other_author}
    connection.execute(_CONTACT, {"dev": dev, "at": at, "gap": gap, "ahead": ahead, **counts})


def no_longer_aside(connection: sa.Connection, sha256: str) -> None:
    """Take out of quarantine what a revocation set aside of a batch."""
    connection.execute(
        quarantine.delete().where(quarantine.c.sha256 == sha256, quarantine.c.reason == REASON)
    )


def set_aside(
    connection: sa.Connection,
    lines: Sequence[tuple[Line, str]],
    *,
    dev: str,
    sha256: str,
    ep: int | None,
    area: int | None,
    at: str,
) -> None:
    """Keep lines (each with its reason) visible in quarantine, in the area of the device's commune; `ep` is None for a
    batch whose header cannot be read."""
    rows: list[dict[str, Any]] = [
        {
            "dev": dev,
            "ep": ep,
            "n": line.n if ep is not None else None,
            "sha256": sha256,
            "reason": reason,
            "line": line.raw,
            "area": area,
            "at": at,
        }
        for line, reason in lines
    ]
    if rows:
        connection.execute(quarantine.insert(), rows)
