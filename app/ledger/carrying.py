"""What comes and goes on a USB key instead of the network: files opened with this server's key, their records taken
through the one door, the answer sealed for whoever carried them. The file itself is sync.carrying's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from app.errors import problem
from app.ledger.door import Door
from app.ledger.relay import accept_records, records_of, to_send
from app.ledger.tables import batch
from sync.bundle import Record, read_bundle
from sync.carrying import Receiver, Unopened, open_file, portions, write_files
from sync.seal import BadSignature, PublicKey, check_grant

BUNDLE_UNREADABLE = problem(
    "bundle_unreadable",
    422,
    "Fichier illisible",
    "Il est coupé, abîmé ou destiné à un autre : rien n'a été pris. Recopiez-le depuis l'appareil, qui garde tout.",
)
NO_CARRIER = problem(
    "bundle_no_carrier",
    422,
    "Porteur inconnu",
    "Le fichier ne nomme aucun appareil de cette province : la réponse ne peut pas être chiffrée.",
)
NO_PROVINCE = problem(
    "bundle_no_province",
    409,
    "Aucune province à qui porter",
    "Rattachez d'abord ce nœud (mboka upstream join) ; une province n'a rien à porter.",
)
# One transaction: what was taken stays taken when the power goes in the middle of a large file.
PORTION_BYTES = 4 << 20
SHA256S_AT_ONCE = 500


@dataclass
class Taken:
    """What a file held and what is answered: records by type, answers, and who carried it (None for receipts only)."""

    batches: int = 0
    receipts: int = 0
    refused: int = 0
    carrier: Receiver | None = None
    answers: list[Record] = field(default_factory=list)


def take_file(door: Door, file: Path, *, told: Callable[[int, int], None] | None = None) -> Taken:
    """Take a file as POST /sync/v1/bundles takes its body; `told` hears (records done, records). Raises
    `bundle_unreadable`."""
    try:
        records = list(read_bundle(open_file(file.read_bytes(), door.identity.key)))
    except Unopened as error:
        raise BUNDLE_UNREADABLE(
            f"{file.name} est coupé, abîmé ou destiné à un autre : rien n'a été pris."
        ) from error
    taken = Taken(carrier=_carrier(door, records))
    done = 0
    for portion in portions(records, PORTION_BYTES):
        answered = accept_records(door, portion)
        done += len(portion)
        taken.answers += answered
        taken.refused += sum(each.type == "problem" for each in answered)
        taken.batches += sum(each.type == "receipt" for each in answered)
        taken.receipts += sum(each.type == "receipt" for each in portion)
        if told is not None:
            told(done, len(records))
    taken.answers += _receipts_from_above(door, records)
    return taken


def _carrier(door: Door, records: list[Record]) -> Receiver | None:
    """Whoever's grant stands first in the file, when it chains to this province."""
    if not records or records[0].type != "grant" or door.standing.province is None:
        return None
    try:
        claims = check_grant(records[0].body.decode(errors="replace"), door.standing.province)
    except BadSignature:
        return None
    return Receiver(str(claims["dev"]), PublicKey.from_jwk(claims["key"]))


def _receipts_from_above(door: Door, records: list[Record]) -> list[Record]:
    """The province's own receipts of these batches, where this server holds them."""
    if door.standing.is_province:
        return []
    wanted = [each.sha256() for each in records if each.type == "batch"]
    found: list[Record] = []
    with door.database.read() as connection:
        for start in range(0, len(wanted), SHA256S_AT_ONCE):
            query = sa.select(batch.c.province_receipt, batch.c.province_signature).where(
                batch.c.sha256.in_(wanted[start : start + SHA256S_AT_ONCE]),
                batch.c.province_receipt.is_not(None),
            )
            rows = connection.execute(query.order_by(batch.c.id))
            found += [Record("receipt", text.encode(), signature) for text, signature in rows]
    return found


def answer(door: Door, taken: Taken, *, file: Path) -> Iterator[Path]:
    """Write the receipts for whoever carried the batches, behind this server's certificate. Raises
    `bundle_no_carrier`; SyncError (`file_exists`)."""
    if taken.carrier is None:
        raise NO_CARRIER()
    cert = door.standing.node_cert
    first = Record("node_cert", cert.encode()) if cert else None
    for path, _ in write_files(file, first, records=taken.answers, receiver=taken.carrier):
        yield path


def export(door: Door, file: Path) -> Iterator[tuple[Path, int]]:
    """Write every batch the province has not receipted for its key: (path, batches in it) after each file. Raises
    `bundle_no_province`; SyncError (`file_exists`)."""
    standing = door.standing
    if standing.upstream_key is None or standing.upstream_node is None or standing.grant is None:
        raise NO_PROVINCE()
    receiver = Receiver(standing.upstream_node, PublicKey.from_jwk(standing.upstream_key))
    own = Record("grant", standing.grant.encode())
    for path, records in write_files(file, own, records=_unsettled_records(door), receiver=receiver):
        yield path, sum(each.type == "batch" for each in records)


def _unsettled_records(door: Door) -> Iterator[Record]:
    """What the next relay would send: everything again where the province was restored."""
    last = door.standing.resent_through or 0
    everything = door.standing.resent_through is not None
    while rows := to_send(door, PORTION_BYTES, after=last, everything=everything):
        yield from records_of(door, rows)
        last = rows[-1].id
