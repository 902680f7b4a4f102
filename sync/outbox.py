"""What an agent entered, from its number to the sealed batch and the province's receipt: what needs no network.

Decides what is sealed, settled, deleted and shown as an alarm; what a node says of it comes from sync.client.
"""

import gzip
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson

from sync.answers import SyncError, counted
from sync.catalogue import CATALOGUE
from sync.ledger import Ranges
from sync.protocol import (
    BATCH_BYTES,
    BATCH_OPERATIONS,
    PROTOCOL_VERSION,
    Header,
    Unreadable,
    read_line,
    write_batch,
    write_line,
)
from sync.seal import Key, sign_detached
from sync.store import Entity, Facts, Held, Open, Receipt, Sealed, Store

GZIP_LEVEL = 9
HEADER_ROOM = 512
KEPT_DAYS = 30
ALARM_CONTACTS, ALARM_DAYS = 5, 14
LINES_AT_ONCE = 250
_NEVER = datetime.min.replace(tzinfo=UTC)
Holding = Mapping[int, Mapping[str, Any]]
_ORDER = {name: at for at, name in enumerate(CATALOGUE)}
_MEMBERS = {name: (name, False) for name in CATALOGUE} | {f"{name}s": (name, True) for name in CATALOGUE}
_REASONS = {
    "too_long": "plus de 64 Kio",
    "id": "identifiant qui n'est pas un UUID version 4",
    "number": "nombre hors limites",
    "nul": "caractère nul",
    "lone_surrogate": "caractère Unicode incomplet",
    "depth": "trop de niveaux",
    "par": "renvoi à une opération qui n'existe pas encore",
}


class BadOperation(SyncError):
    """An operation that no node could read: refused before it gets a number; `code` as in sync.protocol.Unreadable.

    `operation` is its place among those given to `save`, `line` that of its door among those given to `load`, from 0.
    """

    def __init__(self, reason: str, about: object, *, operation: int = 0) -> None:
        super().__init__(reason, f"Saisie refusée ({about}) : {_REASONS.get(reason, 'forme non valable')}.")
        self.operation = operation
        self.line: int | None = None


def _encode(operation: Mapping[str, Any], at: int) -> bytes:
    """The line of an operation; BadOperation on what JSON or the protocol cannot carry."""
    try:
        return write_line(operation)
    except (orjson.JSONEncodeError, TypeError) as error:
        raise BadOperation("number", operation.get("id"), operation=at) from error


def _check_line(line: bytes, n: int, *, at: int, dev: str, ep: int) -> None:
    """Read the line as every node will: what would be quarantined there is refused here."""
    try:
        read_line(line, n, dev=dev, ep=ep)
    except Unreadable as error:
        raise BadOperation(error.reason, f"opération {n}", operation=at) from error


def _entities(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The creations of one door: kind → entity, plural of a kind → entities; what others refer to comes first."""
    found: list[dict[str, Any]] = []
    for name, content in line.items():
        kind, several = _MEMBERS.get(name, ("", False))
        if not kind or CATALOGUE[kind].server_made:
            raise BadOperation("shape", name)
        items = content if several else [content]
        if not isinstance(items, list) or not all(isinstance(each, dict) and "id" in each for each in items):
            raise BadOperation("shape", name)
        found += [{"kind": kind, "id": each["id"], "new": True, **each} for each in items]
    if not found:
        raise BadOperation("shape", "ligne vide")
    found.sort(key=lambda each: _ORDER[each["kind"]])
    return found


def _seal(found: Open, *, key: Key, dev: str, by: str, contact: int, at: float) -> Sealed:
    """Sign the open lines as one batch; the bytes that are stored are the bytes that will leave."""
    last = found.first + len(found.lines) - 1
    header = Header(PROTOCOL_VERSION, dev, found.ep, found.first, last, found.prev, by)
    data = write_batch(header, found.lines)
    return Sealed(
        ep=found.ep,
        first=found.first,
        last=last,
        sha256=hashlib.sha256(data).hexdigest(),
        prev=found.prev,
        signature=sign_detached(key, data, kid=dev, typ="batch"),
        content=gzip.compress(data, GZIP_LEVEL, mtime=0),
        size=len(data),
        contact=contact,
        sealed_at=at,
    )


def _lines_of(content: bytes) -> list[bytes]:
    """The operation lines of a stored batch, without its header."""
    return gzip.decompress(content).split(b"\n")[1:-1]


def _own_lines(store: Store, wanted: Iterable[Held]) -> Iterator[tuple[int, int, bytes]]:
    """(ep, n, line) of the operations in these batches and of those not sealed yet, oldest first."""
    for each in wanted:
        if each.kept:
            for n, line in enumerate(_lines_of(store.content(each.sha256)), each.first):
                yield each.ep, n, line
    yield from store.open_lines()


# what a node says it holds (`status`: epoch → through, holes) ------------------------------------------


def is_held(holding: Holding, batch: Held) -> bool:
    """Tell whether the node surely holds the whole batch."""
    known = holding.get(batch.ep, {"through": 0, "holes": []})
    end = max((b for _, b in known["holes"]), default=known["through"])
    return batch.last <= end and not _touches_hole(known, batch)


def is_missing(holding: Holding, batch: Held) -> bool:
    """Tell whether the node surely lacks some of the batch. Past the last hole nothing is said about what is held."""
    known = holding.get(batch.ep, {"through": 0, "holes": []})
    return _touches_hole(known, batch) or (not known["holes"] and batch.last > known["through"])


def _touches_hole(known: Mapping[str, Any], batch: Held) -> bool:
    return any(a <= batch.last and batch.first <= b for a, b in known["holes"])


def contains(have: Mapping[str, Iterable[list[int]]], batch: Held) -> bool:
    """Tell whether a page's `have` contains the whole batch."""
    ranges = Ranges.from_list(have.get(str(batch.ep), ()))
    return any(a <= batch.first and batch.last <= b for a, b in ranges.to_list())


# what receipts say -------------------------------------------------------------------------------------


def _instant(text: str) -> datetime:
    """The moment of a receipt; the beginning of time when it is none with an offset: nothing follows from it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return _NEVER
    return found if found.tzinfo is not None else _NEVER


def _tells_of_fork(receipt: Receipt) -> bool:
    """Tell whether the node met another line under one of the batch's numbers (section 5, Fork)."""
    dispositions = orjson.loads(receipt.text).get("dispositions")
    return isinstance(dispositions, dict) and any(
        isinstance(each, dict) and each.get("status") == "fork" for each in dispositions.values()
    )


class Outbox:
    """The work of one enrolled device. `clock` gives seconds since 1970 and serves alarms only."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        facts = store.facts()
        if "grant" not in facts:
            raise SyncError("not_enrolled", "Cet appareil n'est pas encore enrôlé.")
        self.store = store
        self.dev: str = facts["dev"]
        self.agent: str = facts["agent"]
        self.key = Key.from_pem(facts["key"].encode())
        self._clock = clock

    # -- entering ------------------------------------------------------------------------------------------

    def save(self, operations: Iterable[Mapping[str, Any]], *, marks: Iterable[str] = ()) -> int:
        """Number and store operations durably in one transaction; gives how many. Raises BadOperation, then none is."""
        lines = [_encode(operation, at) for at, operation in enumerate(operations)]
        if not self.store.epochs():
            self._begin_epoch()

        def number(ep: int, first: int) -> list[bytes]:
            for at, line in enumerate(lines):
                _check_line(line, first + at, at=at, dev=self.dev, ep=ep)
            return lines

        return self.store.save(number, marks) if lines else 0

    def save_household(self, line: Mapping[str, Any]) -> int:
        """Store what was met at one door; gives the operations stored, 0 when the line was stored before."""
        return self.load([line])

    def load(self, lines: Iterable[Mapping[str, Any]], *, told: Callable[[int], None] | None = None) -> int:
        """Store many doors, some hundred in a transaction; gives the operations stored, lines known before left out.

        A line is `{"household","persons","visit"}` or `{"visit"}` alone, each entity `{"id","set"}` with `ev` and `at`
        where known. `told` hears the number of lines done. Raises BadOperation, which names the line.
        """
        stored = done = 0
        rest = iter(lines)
        while portion := list(islice(rest, LINES_AT_ONCE)):
            stored += self._load_some(portion, done)
            done += len(portion)
            if told is not None:
                told(done)
        return stored

    def _load_some(self, lines: list[Mapping[str, Any]], before: int) -> int:
        by_mark: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        for at, line in enumerate(lines, before):
            try:
                door = _entities(line)
            except BadOperation as error:
                error.line = at
                raise
            by_mark[str(door[0]["id"])] = at, door
        for mark in self.store.marked(by_mark):
            del by_mark[mark]
        found = [(at, entity) for at, door in by_mark.values() for entity in door]
        try:
            return self.save((entity for _, entity in found), marks=list(by_mark))
        except BadOperation as error:
            error.line = found[error.operation][0]
            raise

    def _begin_epoch(self) -> None:
        known = self.store.epochs()
        while (ep := secrets.randbits(32)) in known:
            continue
        self.store.begin_epoch(ep)

    # -- sealing -------------------------------------------------------------------------------------------

    def seal(self, most_operations: int = BATCH_OPERATIONS, most_bytes: int = BATCH_BYTES) -> int:
        """Seal everything entered; gives the number of batches. `most_bytes` is decoded, header included."""
        batches = 0
        while self.seal_one(most_operations, most_bytes) is not None:
            batches += 1
        return batches

    def seal_one(self, most_operations: int, most_bytes: int) -> Sealed | None:
        """Seal the oldest operations as one batch, None when there are none."""
        contact = self.store.facts().get("contacts", 0)

        def make(found: Open) -> Sealed:
            return _seal(found, key=self.key, dev=self.dev, by=self.agent, contact=contact, at=self._clock())

        return self.store.seal(
            make,
            most_operations=max(1, min(most_operations, BATCH_OPERATIONS)),
            most_bytes=max(1, min(most_bytes, BATCH_BYTES) - HEADER_ROOM),
        )

    # -- receipts ------------------------------------------------------------------------------------------

    def take(self, receipts: list[Receipt]) -> int:
        """Keep verified receipts; gives how many are new. Work under this name that is not ours starts a new epoch."""
        seen = self.store.facts().get("province_date", "")
        latest = max([seen, *(each.received_at for each in receipts if each.province)], key=_instant)
        if latest != seen:
            self.store.remember({"province_date": latest})
        new, strange = self.store.keep_receipts(receipts)
        # This device was cloned, or brought back from a copy.
        self._leave_epoch([*strange, *filter(_tells_of_fork, receipts)])
        return new

    def _leave_epoch(self, receipts: Iterable[Receipt]) -> None:
        """Write on in a new epoch when somebody else uses this one; operations of the old one are still sent in it."""
        current = next(reversed(self.store.epochs()), None)
        if any(orjson.loads(each.text).get("ep") == current for each in receipts):
            self._begin_epoch()
            self.store.remember({"forks": self.store.facts().get("forks", 0) + 1})

    def notice_older_copy(self, held: Holding) -> None:
        """A node that knows numbers this device never gave: the device was brought back from an older copy."""
        current, last = next(reversed(self.store.epochs().items()), (None, 0))
        if current is not None and current in held and held[current]["through"] > last:
            self._begin_epoch()
            self.store.remember({"forks": self.store.facts().get("forks", 0) + 1})

    def forget_settled(self) -> None:
        """Delete what the province has held for 30 days by its own dates: the device's clock has no say."""
        seen = _instant(self.store.facts().get("province_date", ""))
        if seen > _NEVER + timedelta(days=KEPT_DAYS):
            limit = seen - timedelta(days=KEPT_DAYS)
            kept = [each for each in self.store.batches() if each.kept and each.settled_at is not None]
            self.store.forget(
                [each.sha256 for each in kept if _NEVER < _instant(each.settled_at or "") <= limit]
            )

    def unsettled_entities(self) -> set[Entity]:
        """Entities with own work the province has not receipted: their rows are never dropped."""
        unsettled = [each for each in self.store.batches() if each.settled_at is None]
        found = (orjson.loads(line) for _, _, line in _own_lines(self.store, unsettled))
        return {(each["kind"], each["id"]) for each in found}

    def own_work_on_top(self) -> list[tuple[str, dict[str, Any]]]:
        """(dot, operation) of own work that the pulled rows do not contain yet, oldest first: the device folds it on
        top of what it shows."""
        have: dict[str, list[list[int]]] = self.store.facts().get("have", {})
        ranges = {ep: Ranges.from_list(found) for ep, found in have.items()}
        none = Ranges()
        wanted = [each for each in self.store.batches() if not contains(have, each)]
        return [
            (f"{self.dev}:{ep}:{n}", orjson.loads(line))
            for ep, n, line in _own_lines(self.store, wanted)
            if n not in ranges.get(str(ep), none)
        ]

    def status(self) -> dict[str, Any]:
        """Operations entered, sealed, received (any node's receipt) and settled (the province's), rows by kind, and
        alarms as `{"code", "text"}` in French."""
        batches = self.store.batches()
        return {
            "dev": self.dev,
            "entered": sum(self.store.epochs().values()),
            "sealed": sum(each.operations for each in batches),
            "received": sum(each.operations for each in batches if each.nodes),
            "settled": sum(each.operations for each in batches if each.settled_at is not None),
            "rows": self.store.count_rows(),
            "alarms": _alarms(self.store.facts(), batches, now=self._clock()),
        }

    def left(self, node: str) -> int:
        """Operations this node has given no receipt for."""
        entered = sum(self.store.epochs().values())
        return entered - sum(
            each.operations for each in self.store.batches() if node in each.nodes or not each.kept
        )


def _alarms(facts: Facts, batches: list[Held], *, now: float) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    waiting = [each for each in batches if each.settled_at is None]
    if waiting:
        contacts = facts.get("contacts", 0) - min(each.contact for each in waiting)
        days = (now - min(each.sealed_at for each in waiting)) / 86400
        if contacts >= ALARM_CONTACTS or days >= ALARM_DAYS:
            lots = counted(len(waiting), "lot", many="lots")
            text = f"{lots} sans reçu de la province : essayez la province directement, puis la clé USB."
            found.append({"code": "unsettled", "text": text, "batches": len(waiting), "contacts": contacts})
    if refused := [each for each in batches if each.refused]:
        lots = counted(len(refused), "lot refusé", many="lots refusés")
        text = f"{lots} par le serveur : gardez l'appareil et prévenez le superviseur."
        found.append({"code": "refused", "text": text, "batches": len(refused)})
    if facts.get("forks"):
        found.append(
            {"code": "fork", "text": "Un autre appareil écrit sous ce nom : tablette clonée ou restaurée."}
        )
    if facts.get("revoked"):
        found.append(
            {"code": "revoked", "text": "Appareil révoqué : rapportez-le avec les lots qu'il garde encore."}
        )
    return found
