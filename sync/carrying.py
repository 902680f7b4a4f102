"""Batches and receipts carried by hand: the encrypted file of a USB key, what a tablet writes to one and takes from it.

The file's records are sync.bundle's; a record carried counts as one that came over the network, no more and no less.
"""

import gzip
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwe
from joserfc.errors import JoseError

from sync.answers import SyncError, read_cert, read_receipt
from sync.bundle import Record, read_bundle, write_bundle
from sync.outbox import Outbox
from sync.seal import BadSignature, Key, PublicKey, check_node_cert, peek
from sync.store import Held

# Decoded bytes of one file; a larger bundle is several files.
MOST_BYTES = 16 << 20
_ALGORITHMS = ("ECDH-ES", "A256GCM")


class Registry(jwe.JWERegistry):
    """What joserfc allows for one message, as large as a file of ours may be."""

    max_ciphertext_length = 2 * MOST_BYTES + (4 << 20)


_REGISTRY = Registry(algorithms=_ALGORITHMS, strict_check_header=False)


class Unopened(Exception):
    """A file that is not for this key, was cut, or changed on the way: nothing of it can be read."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """For whom a file is encrypted: node or device id, and its public key."""

    id: str
    key: PublicKey


def seal_file(data: bytes, receiver: Receiver) -> bytes:
    """One compact JWE (ECDH-ES, A256GCM) that only the receiver's key opens."""
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": receiver.id, "typ": "bundle"}
    return jwe.encrypt_compact(header, data, receiver.key.jose(), registry=_REGISTRY).encode()


def open_file(sealed: bytes, key: Key) -> bytes:
    """What stands in a file encrypted to this key; raises Unopened. Whose word it is only its signatures say."""
    try:
        found = jwe.decrypt_compact(sealed.strip(), key.jose(), registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Unopened(str(error)) from error
    return found.plaintext or b""


def portions(records: Iterable[Record], most_bytes: int = MOST_BYTES) -> Iterator[list[Record]]:
    """Records in lists of at most so many bytes together; one that is larger stands alone."""
    portion: list[Record] = []
    size = 0
    for each in records:
        if portion and size + len(each.body) > most_bytes:
            yield portion
            portion, size = [], 0
        portion.append(each)
        size += len(each.body)
    if portion:
        yield portion


def write_files(
    file: Path, first: Record | None, *, records: Iterable[Record], receiver: Receiver
) -> Iterator[tuple[Path, list[Record]]]:
    """Write `file`, or `file.1`, `file.2` … where one does not hold them all; each begins with the record `first`.

    Gives (path, records in it) as soon as each is written. SyncError (`file_exists`) where files of this name are:
    mixed with older ones they would be taken for one.
    """
    if any(each.exists() for each in files_of(file)):
        raise SyncError("file_exists", f"{file} existe déjà : choisissez un autre nom ou effacez-le.")
    found = portions(records)
    pending = next(found, None)
    at = 0
    while pending is not None:
        portion, pending = pending, next(found, None)
        at += 1
        path = file if at == 1 and pending is None else file.with_name(f"{file.name}.{at}")
        head = [first] if first is not None else []
        with path.open("wb") as out:
            out.write(seal_file(write_bundle([*head, *portion]), receiver))
            out.flush()
            os.fsync(out.fileno())
        yield path, portion


def files_of(file: Path) -> list[Path]:
    """The files written under this name: itself, or those with a number behind it, in order."""
    if file.exists():
        return [file]
    numbered = (each for each in file.parent.glob(f"{file.name}.*") if re.fullmatch(r"\.[0-9]+", each.suffix))
    found = sorted(numbered, key=lambda each: int(each.suffix[1:]))
    return found or [file]


# a tablet ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written for a node: files, batches, operations."""

    files: tuple[Path, ...] = ()
    batches: int = 0
    operations: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file of receipts held: receipts that are new, batches refused by the node, receipts that do not hold."""

    receipts: int = 0
    refused: int = 0
    strange: int = 0


def receiver_of(outbox: Outbox, to: str | None) -> Receiver:
    """The home node; `province`; or the node whose certificate stands in `to` (a JWS, or JSON with `node_cert`).

    Keys are taken only from certificates that chain to the province pinned at enrolment; Untrusted otherwise.
    """
    facts = outbox.store.facts()
    own = str(peek(facts["grant"])[1].get("node_cert") or "")
    if to == "province":
        claims = read_cert(own, facts["province"])
        return Receiver(str(peek(own)[0]["kid"]), PublicKey.from_jwk(claims["province_key"]))
    claims = read_cert(own if to is None else to, facts["province"])
    return Receiver(str(claims["node"]), PublicKey.from_jwk(claims["key"]))


def read_certificate(file: Path) -> str:
    """The node's certificate in a file: the JWS itself, or JSON with `node_cert` (what `hello` answers)."""
    text = file.read_text(encoding="utf-8", errors="replace").strip()
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return str(found.get("node_cert")) if isinstance(found, dict) else ""


def export(outbox: Outbox, file: Path, *, receiver: Receiver) -> Iterator[Exported]:
    """Seal what is open and write every batch the province has not receipted, with the grant, for this receiver.

    Gives what is done after each file. A batch carried is as one sent without an answer: the next push asks first.
    """
    outbox.seal()
    waiting = [each for each in outbox.store.batches() if each.settled_at is None and each.kept]
    by_sha256 = {each.sha256: each for each in waiting}
    grant = Record("grant", outbox.store.facts()["grant"].encode())
    records = (_record(outbox, each) for each in waiting)
    done = Exported()
    for path, portion in write_files(file, grant, records=records, receiver=receiver):
        held = [by_sha256[each.sha256()] for each in portion]
        for each in held:
            outbox.store.note_try(each.sha256, each.refused)
        done = Exported(
            (*done.files, path),
            done.batches + len(held),
            done.operations + sum(each.operations for each in held),
        )
        yield done


def take_file(outbox: Outbox, file: Path) -> Imported:
    """Take the receipts a node wrote for this tablet; SyncError (`unopened`) when the file cannot be opened."""
    try:
        records = list(read_bundle(open_file(file.read_bytes(), outbox.key)))
    except Unopened as error:
        raise SyncError(
            "unopened", f"{file.name} n'est pas pour cet appareil, ou il est abîmé : rien n'a été pris."
        ) from error
    keys, facts = _keys(outbox, records), outbox.store.facts()
    province = receiver_of(outbox, "province").key
    found = [
        read_receipt(each.body, each.signature or "", dev=facts["dev"], keys=keys, province=province)
        for each in records
        if each.type == "receipt"
    ]
    good = [each for each in found if each is not None]
    new = outbox.take(good)
    outbox.forget_settled()
    refused = _note_refusals(outbox, records)
    return Imported(new, refused, len(found) - len(good))


def _record(outbox: Outbox, held: Held) -> Record:
    return Record("batch", gzip.decompress(outbox.store.content(held.sha256)), held.signature)


def _keys(outbox: Outbox, records: Iterable[Record]) -> dict[str, PublicKey]:
    """Node id → key, of the home node and of the nodes whose certificate is in the file, where they chain."""
    facts = outbox.store.facts()
    certs = [str(peek(facts["grant"])[1].get("node_cert") or "")]
    certs += [each.body.decode(errors="replace") for each in records if each.type == "node_cert"]
    keys: dict[str, PublicKey] = {}
    for cert in certs:
        try:
            claims = check_node_cert(cert, facts["province"])
        except BadSignature:
            continue
        keys[str(claims["node"])] = PublicKey.from_jwk(claims["key"])
    return keys


def _note_refusals(outbox: Outbox, records: Iterable[Record]) -> int:
    """Keep what a node refused for an alarm; the batch is sent again all the same."""
    known = {each.sha256 for each in outbox.store.batches()}
    refused = 0
    for each in records:
        if each.type == "problem":
            try:
                told: dict[str, Any] = orjson.loads(each.body)
                sha256, code = str(told["sha256"]), str(told["code"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
            if sha256 in known:
                outbox.store.note_try(sha256, code)
                refused += 1
    return refused
