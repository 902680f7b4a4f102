"""Between commune and province: joining, sending every batch upwards, bringing the province's receipts down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import sqlalchemy as sa
import structlog
from backports import zstd

from app.clock import moment, stamp
from app.errors import Problem
from app.ledger.bringing import bring_all, catch_up_if_needed, finish_catching_up
from app.ledger.door import Door
from app.ledger.keeping import Envelope, Receipt, keep_province_receipts
from app.ledger.lines import decompress
from app.ledger.node import JUMP, Standing
from app.ledger.senders import BAD_SIGNATURE, admit
from app.ledger.tables import batch, device, node
from app.ledger.upstream import NOT_THE_PROVINCE, UPSTREAM_UNREACHABLE, ask, note_feed, note_restored
from sync.bundle import Record, read_bundle, write_bundle
from sync.seal import BadSignature, PublicKey, check_grant, check_node_cert, sign_compact, verify_detached

LEVEL = 6
MOST_BATCHES = 200
# Stored batches are compressed; a bundle's size is meant before compression.
TYPICAL_RATIO = 6
log = structlog.get_logger("relay")


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one relay did: batches sent, receipts brought back, bytes on the wire, batches refused."""

    batches: int = 0
    receipts: int = 0
    wire_bytes: int = 0
    refused: int = 0

    def __add__(self, other: Relayed) -> Relayed:
        return Relayed(
            self.batches + other.batches,
            self.receipts + other.receipts,
            self.wire_bytes + other.wire_bytes,
            self.refused + other.refused,
        )


# -- at the province -------------------------------------------------------------------------------------------


def accept_bundle(door: Door, data: bytes) -> bytes:
    """Take every whole record of a bundle in one transaction; gives the bundle of receipts (and of problems)."""
    return write_bundle(accept_records(door, read_bundle(data)))


def accept_records(door: Door, records: Iterable[Record]) -> list[Record]:
    """Take records in one transaction: the receipts of the batches, after the problems of what was refused.

    A `receipt` counts only when the province signed it: brought by hand it settles like one of the network.
    """
    answers: list[Record] = []
    settled: list[Receipt] = []
    with door.database.write() as connection:
        envelopes: list[Envelope] = []
        for record in records:
            signature = record.signature or ""
            try:
                if record.type == "grant":
                    admit(connection, door.standing, record.body.decode(errors="replace"))
                elif record.type == "batch":
                    envelopes.append(door.verify(connection, record.body, signature, grant=record.grant))
                elif record.type == "receipt":
                    settled.append(_by_province(door.standing, record))
            except Problem as refused:
                named = {"sha256": record.sha256()}
                answers.append(Record("problem", orjson.dumps(refused.body() | named)))
        keep_province_receipts(connection, settled)
        receipts = door.accept_many(connection, envelopes)
    return answers + [Record("receipt", receipt.text.encode(), receipt.signature) for receipt in receipts]


# -- at the commune --------------------------------------------------------------------------------------------


def join(door: Door, *, url: str, code: str, province: str, client: httpx.Client) -> None:
    """Enrol this commune at the province whose key has this thumbprint. Raises Problems, its own or ours."""
    url = url.rstrip("/")
    hello = ask(client, "GET", url=f"{url}/sync/v1/hello").json()
    identity = door.identity
    public = identity.key.public
    proof = sign_compact(
        identity.key, {"code": code, "node": hello["node"]}, kid=public.thumbprint(), typ="enrol"
    )
    asked = {
        "code": code,
        "public_key": public.jwk(),
        "name": door.standing.commune or "",
        "proof": proof,
        "dev": identity.dev,
        "demo": door.standing.demo,
    }
    if bool(hello.get("demo")) != door.standing.demo:
        raise NOT_THE_PROVINCE("Un nœud de démonstration ne rejoint jamais une vraie province, ni l'inverse.")
    answer = ask(client, "POST", url=f"{url}/sync/v1/enrolments", json=asked).json()
    try:
        upstream = check_node_cert(answer["node_cert"], province)
        own = check_node_cert(answer["own_node_cert"], province)
        claims = check_grant(answer["grant"], province)
    except (BadSignature, KeyError) as error:
        raise NOT_THE_PROVINCE() from error
    if claims["dev"] != identity.dev or own["node"] != identity.dev or upstream["node"] != hello["node"]:
        raise NOT_THE_PROVINCE()
    with door.database.write() as connection:
        connection.execute(
            node.update().values(
                province=province,
                node_cert=answer["own_node_cert"],
                grant=answer["grant"],
                upstream_url=url,
                upstream_node=upstream["node"],
                upstream_key=orjson.dumps(upstream["key"]).decode(),
                catching_up=True,
            )
        )
    door.refresh()
    with suppress(Problem):
        # Where it cannot be asked now, the first exchange will tell.
        catch_up_if_needed(door, client)


def relay_all(
    door: Door, client: httpx.Client, *, most_bytes: int, told: Callable[[Relayed], None] | None = None
) -> Relayed:
    """Send everything the province has not receipted, oldest first, each batch once; a province that was restored gets
    every batch again, in order, whatever it said before.

    Raises `upstream_unreachable`, `upstream_refused`, `not_the_province`.
    """
    done = Relayed()
    _read_hello(door, client)
    again = door.standing.resent_through
    last = again or 0
    while rows := to_send(door, most_bytes, after=last, everything=again is not None):
        done += _relay_some(door, client, rows)
        last = rows[-1].id
        if again is not None:
            _note_resent(door, last)
        if told is not None:
            told(done)
    if again is not None:
        _note_resent(door, None)
    return done


def exchange(
    door: Door, client: httpx.Client, *, most_bytes: int, told: Callable[[Relayed], None] | None = None
) -> Relayed:
    """Relay, then bring what the province holds of this commune's areas; after both a restored server has caught up.

    Raises as `relay_all` and `bring_all` do.
    """
    done = relay_all(door, client, most_bytes=most_bytes, told=told)
    brought = bring_all(door, client)
    finish_catching_up(door)
    if brought.lines:
        log.info("brought", lines=brought.lines, answers=brought.answers, bytes=brought.wire_bytes)
    return done


def _note_resent(door: Door, through: int | None) -> None:
    with door.database.write() as connection:
        connection.execute(node.update().values(resent_through=through))
    door.refresh()


def _relay_some(door: Door, client: httpx.Client, rows: list[Any]) -> Relayed:
    body = zstd.compress(write_bundle(records_of(door, rows)), LEVEL)
    headers = {"Content-Encoding": "zstd", "Content-Type": "application/octet-stream"}
    url = f"{door.standing.upstream_url}/sync/v1/bundles"
    answer = ask(client, "POST", url=url, content=body, headers=headers).content
    kept, refused = _keep_receipts(door, answer, {row.sha256 for row in rows})
    if not kept and not refused:
        raise UPSTREAM_UNREACHABLE(
            "La réponse ne dit rien de ce qui fut envoyé : elle n'est pas de la province."
        )
    return Relayed(len(rows), kept, len(body) + len(answer), refused)


def to_send(door: Door, most_bytes: int, *, after: int, everything: bool) -> list[Any]:
    """Batches after this local number, oldest first, about so many bytes of them: those the province has not receipted,
    or `everything`."""
    columns = (batch.c.id, batch.c.dev, batch.c.sha256, batch.c.signature, batch.c.content)
    query = sa.select(*columns).where(batch.c.id > after).order_by(batch.c.id).limit(MOST_BATCHES)
    if not everything:
        query = query.where(batch.c.province_receipt.is_(None))
    with door.database.read() as connection:
        rows: list[Any] = []
        size = 0
        for row in connection.execute(query):
            size += len(row.content) * TYPICAL_RATIO
            if rows and size > most_bytes:
                break
            rows.append(row)
    return rows


def records_of(door: Door, rows: list[Any]) -> list[Record]:
    """The grants of those who signed these batches, then the batches."""
    with door.database.read() as connection:
        devs = {row.dev for row in rows} - {door.identity.dev}
        found = connection.execute(sa.select(device.c.id, device.c.grant).where(device.c.id.in_(devs)))
        grants = {row.id: row.grant for row in found if row.grant}
    if door.standing.grant:
        grants[door.identity.dev] = door.standing.grant
    records = [Record("grant", grant.encode()) for _, grant in sorted(grants.items())]
    return records + [Record("batch", decompress(row.content), row.signature) for row in rows]


def _keep_receipts(door: Door, answer: bytes, expected: set[str]) -> tuple[int, int]:
    """Store the province's own receipts verbatim: only those that verify and name bytes this server sent."""
    settled: list[Receipt] = []
    refused = 0
    for record in read_bundle(answer):
        if record.type == "problem":
            refused += 1
            log.warning("batch_refused_upstream", problem=orjson.loads(record.body).get("code"))
            continue
        try:
            receipt = _by_province(door.standing, record)
        except Problem as error:
            raise NOT_THE_PROVINCE() from error
        if orjson.loads(receipt.text)["sha256"] in expected:
            settled.append(receipt)
    if settled:
        with door.database.write() as connection:
            keep_province_receipts(connection, settled)
            connection.execute(node.update().values(relayed_at=stamp(door.clock.clock.now())))
    return len(settled), refused


def _by_province(standing: Standing, record: Record) -> Receipt:
    """The receipt in a record when it is the province's own; raises `bad_signature`."""
    signature = record.signature or ""
    if standing.upstream_key is None or standing.upstream_node is None:
        raise BAD_SIGNATURE("Ce serveur n'est rattaché à aucune province.")
    try:
        key = PublicKey.from_jwk(standing.upstream_key)
        verify_detached(key, record.body, signature, kid=standing.upstream_node, typ="receipt")
        return Receipt(record.body.decode(), signature)
    except (BadSignature, UnicodeDecodeError) as error:
        raise BAD_SIGNATURE("Ce reçu n'est pas de la province.") from error


def _read_hello(door: Door, client: httpx.Client) -> None:
    """How far this server's clock is ahead of the province's, in seconds: registration asks for it. And whether the
    province is still the one that gave the receipts."""
    standing = door.refresh()
    heard = {"heard": f"{standing.heard_sha256}:{standing.heard_at}"} if standing.heard_at is not None else {}
    hello = ask(client, "GET", url=f"{standing.upstream_url}/sync/v1/hello", params=heard).json()
    now = door.clock.clock.now()
    offset = (now - moment(hello["time"])).total_seconds()
    with door.database.write() as connection:
        connection.execute(node.update().values(upstream_time=hello["time"], upstream_offset=offset))
        note_feed(connection, hello["feed"])
        if hello.get("holds") is False:
            note_restored(connection)
        if abs(offset) < JUMP.total_seconds():
            connection.execute(node.update().values(clock_jumped_at=None))
            door.clock.believe()
    door.refresh()


class Relay(threading.Thread):
    """The relay of a running commune server: every `pause` seconds, twice as long after a failure, up to 10 minutes."""

    LONGEST = 600.0

    def __init__(self, door: Door, *, pause: float, most_bytes: int) -> None:
        super().__init__(name="relay", daemon=True)
        self._door = door
        self._pause = pause
        self._most_bytes = most_bytes
        self._stopped = threading.Event()

    def run(self) -> None:
        """Relay until stopped; a province out of reach is normal and only logged."""
        wait = self._pause
        with httpx.Client(timeout=60) as client:
            while not self._stopped.wait(wait):
                try:
                    if self._door.refresh().upstream_url is None:
                        continue
                    done = exchange(self._door, client, most_bytes=self._most_bytes)
                    wait = self._pause
                    if done.batches:
                        log.info(
                            "relayed", batches=done.batches, receipts=done.receipts, bytes=done.wire_bytes
                        )
                except Problem as reason:
                    wait = min(wait * 2, self.LONGEST)
                    log.warning("relay_postponed", code=reason.type.code, seconds=wait)

    def stop(self) -> None:
        """Ask the thread to end and wait for the exchange under way."""
        self._stopped.set()
        self.join(timeout=65)
