"""Bundles: many batches, grants or receipts in one body (protocol section 5). Framing only; nothing is judged here."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

HEAD_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `type` batch, receipt, grant, node_cert or problem; `body` its bytes as signed."""

    type: str
    body: bytes
    signature: str | None = None
    grant: str | None = None

    def sha256(self) -> str:
        """The identity of what is carried: lower-case hex SHA-256 of the body."""
        return hashlib.sha256(self.body).hexdigest()


def write_bundle(records: Iterable[Record]) -> bytes:
    """The bytes of a bundle: per record a JSON head, LF, the body, LF."""
    parts: list[bytes] = []
    for record in records:
        head: dict[str, str | int] = {"type": record.type, "len": len(record.body)}
        if record.signature is not None:
            head["signature"] = record.signature
        if record.grant is not None:
            head["grant"] = record.grant
        parts += [orjson.dumps(head), b"\n", record.body, b"\n"]
    return b"".join(parts)


def read_bundle(data: bytes) -> Iterator[Record]:
    """The whole records of a bundle; reading stops without an error where it was cut or is no longer readable."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start, start + HEAD_BYTES)
        if end < 0:
            return
        try:
            head = orjson.loads(data[start:end])
            kind, length = head["type"], head["len"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        if not isinstance(length, int) or not isinstance(kind, str) or not 0 <= length < len(data) - end - 1:
            return
        body = data[end + 1 : end + 1 + length]
        start = end + 1 + length
        if data[start : start + 1] != b"\n":
            return
        start += 1
        yield Record(kind, body, _text(head.get("signature")), _text(head.get("grant")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
