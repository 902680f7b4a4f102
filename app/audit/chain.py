"""The stored batches as such: their bytes, signatures, receipts, their place in each device's chain and in the ranges
this node says it holds. What their operations mean is not looked at here."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from backports import zstd

from app.audit.report import Findings
from app.audit.trust import Trust
from app.ledger.tables import batch, brought, device_contact, origin
from sync.protocol import Batch, Header, Unreadable, read_batch
from sync.seal import BadSignature, PublicKey, verify_detached

PAGE = 32
# Operations are told in order of arrival: between two batches there is room for the lines brought in between.
SCALE = 1 << 32
_HASH = re.compile(r"[0-9a-f]{64}")
Interval = tuple[int, int]


@dataclass(slots=True)
class Stored:
    """One batch whose bytes were checked: decoded, or the reason why the node had to set it aside."""

    id: int
    dev: str
    origin: int | None
    sha256: str
    data: bytes
    readable: Batch | None
    reason: str | None


@dataclass(slots=True)
class Chain:
    """What the batch table says about one (dev, ep), batch by batch in order of arrival."""

    dev: str
    ep: int
    ranges: str
    brought_ranges: str
    batches: list[tuple[int, int, str, str | None]] = field(default_factory=list)
    brought: list[int] = field(default_factory=list)

    def intervals(self) -> list[Interval]:
        """Operation numbers held in batches, as disjoint inclusive intervals that do not touch."""
        return _joined((first, last) for first, last, _, _ in self.batches)

    def brought_intervals(self) -> list[Interval]:
        """Operation numbers brought from the province, in the same form."""
        return _joined((n, n) for n in self.brought)

    def told_twice(self) -> list[Interval]:
        """Operation numbers that stand in more than one batch, or were brought as well."""
        found: list[Interval] = []
        end = 0
        spans = [(first, last) for first, last, _, _ in self.batches] + [(n, n) for n in self.brought]
        for first, last in sorted(spans):
            if first <= end:
                found.append((first, min(last, end)))
            end = max(end, last)
        return _joined(found)


def _joined(spans: Iterable[Interval]) -> list[Interval]:
    found: list[Interval] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


class Chains:
    """All origins of the node and the batches of each, without their content."""

    def __init__(self, connection: sa.Connection) -> None:
        self.chains: dict[int, Chain] = {
            row.id: Chain(row.dev, row.ep, row.ranges, row.brought or "[]")
            for row in connection.execute(sa.select(origin).order_by(origin.c.id))
        }
        self.operations = 0
        self.batches = 0
        columns = (batch.c.origin, batch.c.from_n, batch.c.to_n, batch.c.sha256, batch.c.prev)
        for row in connection.execute(sa.select(*columns).order_by(batch.c.id)):
            self.batches += 1
            if row.origin in self.chains and row.from_n is not None and row.to_n is not None:
                self.chains[row.origin].batches.append((row.from_n, row.to_n, row.sha256, row.prev))
                self.operations += row.to_n - row.from_n + 1
        for origin_id, n in connection.execute(sa.select(brought.c.origin, brought.c.n)):
            self.chains[origin_id].brought.append(n)
        self._held = {sha256 for each in self.chains.values() for _, _, sha256, _ in each.batches}
        self._twice = {identity: each.told_twice() for identity, each in self.chains.items()}

    def holds(self, sha256: str) -> bool:
        """Whether this batch itself is here."""
        return sha256 in self._held

    def is_told_twice(self, origin_id: int, n: int) -> bool:
        """Whether an operation of this number came more than once."""
        return any(first <= n <= last for first, last in self._twice[origin_id])

    def check(self, connection: sa.Connection, findings: Findings) -> None:
        """The ranges each origin announces are those of its batches, and a broken chain is flagged at its device."""
        flagged = connection.execute(
            sa.select(device_contact.c.dev).where(device_contact.c.prev_gap)
        ).scalars()
        known = set(flagged)
        for each in self.chains.values():
            held = (each.ranges, each.intervals(), "annonce les opérations", "ses lots portent")
            brought_down = (each.brought_ranges, each.brought_intervals(), "annonce rapportées", "on garde")
            for said, intervals, announces, shows in (held, brought_down):
                due = orjson.dumps([list(interval) for interval in intervals]).decode()
                if due != said:
                    text = f"{announces} {said}, {shows} {due}"
                    findings.add("range", f"appareil {each.dev}, époque {each.ep} : {text}")
            if each.dev not in known:
                self._check_links(each, findings)

    @staticmethod
    def _check_links(each: Chain, findings: Findings) -> None:
        ending: dict[int, set[str]] = defaultdict(set)
        for _, last, sha256, _ in each.batches:
            ending[last].add(sha256)
        firsts = sorted(first for first, _, _, _ in each.batches)
        starting = {first: last for first, last, _, _ in each.batches}
        for first, _, sha256, prev in each.batches:
            before = firsts[bisect_right(firsts, first - 1) - 1] if firsts[0] < first else None
            # Between batches that overlap, a device's own account of what came before cannot be judged.
            if before is None or starting[before] != first - 1:
                continue
            if prev not in ending[first - 1]:
                findings.add(
                    "chain",
                    f"lot {sha256} de l'appareil {each.dev} : ne suit pas le lot qui finit à l'opération {first - 1}, "
                    "et l'appareil n'est pas signalé",
                )


def batches(connection: sa.Connection) -> Iterator[sa.Row[Any]]:
    """Every stored batch in order of arrival, a page at a time."""
    last = 0
    while rows := connection.execute(
        sa.select(batch).where(batch.c.id > last).order_by(batch.c.id).limit(PAGE)
    ).all():
        yield from rows
        last = rows[-1].id


def batches_of(connection: sa.Connection, origin_id: int, *, n: int) -> Iterator[sa.Row[Any]]:
    """The batches that hold operation `n` of an origin, in order of arrival."""
    query = sa.select(batch).where(batch.c.origin == origin_id, batch.c.from_n <= n, batch.c.to_n >= n)
    yield from connection.execute(query.order_by(batch.c.id)).all()


class Seals:
    """Checks one stored batch after the other: bytes, signature, columns, receipts."""

    def __init__(self, trust: Trust, chains: Chains, *, findings: Findings) -> None:
        self._trust = trust
        self._chains = chains
        self._findings = findings

    def open(self, row: sa.Row[Any]) -> Stored | None:
        """The batch of a row, None when its bytes are lost; adds a difference for everything that does not hold."""
        name = f"lot {row.sha256} de l'appareil {row.dev}"
        try:
            data = zstd.decompress(row.content)
        except zstd.ZstdError:
            self._findings.add("batch", f"{name} : un octet a changé (contenu illisible)")
            return None
        if hashlib.sha256(data).hexdigest() != row.sha256:
            self._findings.add("batch", f"{name} : un octet a changé (empreinte)")
        else:
            self._check_signature(row, name, data)
        try:
            readable, reason = read_batch(data), None
        except Unreadable as error:
            readable, reason = None, error.reason
        if readable is not None and readable.header.dev != row.dev:
            readable, reason = None, "foreign_header"
        self._check_columns(row, name, readable.header if readable else None)
        self._check_receipts(row, name, readable.header if readable else None)
        if readable is not None and row.origin not in self._chains.chains:
            return None
        return Stored(row.id, row.dev, row.origin, row.sha256, data, readable, reason)

    def _check_signature(self, row: sa.Row[Any], name: str, data: bytes) -> None:
        device = self._trust.devices.get(row.dev)
        if device is None:
            self._findings.add("batch", f"{name} : appareil inconnu")
        elif device.public is None:
            self._findings.add(
                "batch", f"{name} : la clé de ce serveur manque pour vérifier ses propres lots"
            )
        elif not holds(device.public, data, signature=row.signature, kid=row.dev, typ="batch"):
            self._findings.add("batch", f"{name} : la signature n'est pas celle de l'appareil")

    def _check_columns(self, row: sa.Row[Any], name: str, header: Header | None) -> None:
        """The columns beside the bytes repeat the header."""
        due: dict[str, Any] = dict.fromkeys(("dev", "ep", "from_n", "to_n", "prev"))
        held = {"from_n": row.from_n, "to_n": row.to_n, "prev": row.prev, "dev": None, "ep": None}
        if header is not None:
            prev = header.prev if header.prev and _HASH.fullmatch(header.prev) else None
            due = {
                "from_n": header.from_,
                "to_n": header.to,
                "prev": prev,
                "dev": header.dev,
                "ep": header.ep,
            }
            if (chain := self._chains.chains.get(row.origin)) is not None:
                held |= {"dev": chain.dev, "ep": chain.ep}
        for column, value in due.items():
            if held[column] != value:
                said = f"{column} vaut {held[column]} dans la table, {value} dans l'en-tête signé"
                self._findings.add("batch", f"{name} : {said}")

    def _check_receipts(self, row: sa.Row[Any], name: str, header: Header | None) -> None:
        trust = self._trust
        own = row.dev == trust.dev
        if row.receipt is None and not own:
            self._findings.add("receipt", f"{name} : le reçu de ce serveur manque")
        if row.receipt is not None:
            due = _receipt(trust.dev, row, header)
            if not own:
                due["received_at"] = row.received_at
            why = _wrong_receipt(row.receipt, row.receipt_signature, trust.key, node=trust.dev, due=due)
            if why:
                self._findings.add("receipt", f"{name} : le reçu de ce serveur {why}")
        if row.province_receipt is not None:
            node = trust.upstream_node or ""
            due = _receipt(node, row, header)
            why = _wrong_receipt(
                row.province_receipt, row.province_signature, trust.upstream, node=node, due=due
            )
            if why:
                self._findings.add("receipt", f"{name} : le reçu de la province {why}")


def _receipt(node: str, row: sa.Row[Any], header: Header | None) -> dict[str, Any]:
    """What a receipt of this node for this batch must say."""
    return {
        "node": node,
        "dev": row.dev,
        "ep": header.ep if header else None,
        "from": header.from_ if header else None,
        "to": header.to if header else None,
        "sha256": row.sha256,
    }


def _wrong_receipt(
    text: str, signature: str | None, key: PublicKey | None, *, node: str, due: dict[str, Any]
) -> str | None:
    """Why a receipt does not hold (French, after its name), None when it does."""
    if key is None:
        return "ne peut pas être vérifié : la clé manque"
    if not holds(key, text.encode(), signature=signature or "", kid=node, typ="receipt"):
        return "ne porte pas la bonne signature"
    held = orjson.loads(text)
    wrong = [name for name, value in due.items() if held.get(name) != value]
    return f"parle d'un autre lot ({wrong[0]})" if wrong else None


def holds(key: PublicKey, data: bytes, *, signature: str, kid: str, typ: str) -> bool:
    """Whether a detached signature is that of this key over these bytes."""
    try:
        verify_detached(key, data, signature, kid=kid, typ=typ)
    except BadSignature:
        return False
    return True
