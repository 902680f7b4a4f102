"""What is inside a backup: a manifest, the rows of every table as msgpack, and counts with digests at the end. One
format for both engines; a digest does not hang on the order of rows, so that a restored table can be compared."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from app.keeping_safe.envelope import BACKUP_DAMAGED

FORMAT = 1
RECORD_BYTES = 1 << 20
# The widest row is a batch of 1 MiB, decoded; the protocol bounds it.
LONGEST_RECORD = 64 << 20
ROWS_AT_ONCE, BLOBS_AT_ONCE = 1000, 50
_LENGTH = struct.Struct(">I")
_MODULUS = 1 << 256


class Manifest(msgspec.Struct, tag="begin", kw_only=True):
    """Whose backup it is, of when, at which schema, and the columns of every table in loading order."""

    format: int
    node: dict[str, Any]
    taken_at: str
    program: str
    revision: str
    tables: dict[str, list[str]]
    files: dict[str, str]


class Rows(msgspec.Struct, tag="rows"):
    """Some rows of one table, each an array in the order of the manifest's columns."""

    table: str
    rows: list[msgspec.Raw]


class Counted(msgspec.Struct):
    """How many rows a table has, and the sum of their SHA-256 modulo 2^256, in hex."""

    rows: int
    sha256: str


class End(msgspec.Struct, tag="end"):
    """The last record: what was written of each table."""

    tables: dict[str, Counted]


Record = Manifest | Rows | End
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)
decode_row = msgspec.msgpack.Decoder(list[Any]).decode


class Tally:
    """Counts rows and digests them whatever their order."""

    __slots__ = ("_sum", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, row: bytes | memoryview) -> None:
        """Take one encoded row."""
        self.rows += 1
        self._sum += int.from_bytes(hashlib.sha256(row).digest())

    def counted(self) -> Counted:
        """What was taken so far."""
        return Counted(self.rows, f"{self._sum % _MODULUS:064x}")


def frame(record: Record) -> bytes:
    """A record as it stands in the stream: its length, then msgpack."""
    data = _encoder.encode(record)
    return _LENGTH.pack(len(data)) + data


def read_records(take: Callable[[int], bytes]) -> Iterator[Record]:
    """Every record up to the last; `take(size)` gives so many bytes. Raises `backup_damaged`."""
    record: Record | None = None
    while not isinstance(record, End):
        head = take(_LENGTH.size)
        if len(head) < _LENGTH.size or (size := _LENGTH.unpack(head)[0]) > LONGEST_RECORD:
            raise BACKUP_DAMAGED("La fin de la sauvegarde manque.")
        data = take(size)
        try:
            record = _decoder.decode(data)
        except msgspec.DecodeError as error:
            raise BACKUP_DAMAGED() from error
        if isinstance(record, Manifest) and record.format != FORMAT:
            raise BACKUP_DAMAGED(
                f"Format {record.format} inconnu de ce programme : installez-en un plus récent."
            )
        yield record
    if take(1):
        raise BACKUP_DAMAGED("Des données suivent la fin de la sauvegarde.")


def check_end(end: End, tallies: Mapping[str, Tally]) -> None:
    """Raise `backup_damaged` unless the rows met are those the last record names."""
    found = {name: tally.counted() for name, tally in tallies.items()}
    if found != end.tables:
        name = next(n for n in sorted({*found, *end.tables}) if found.get(n) != end.tables.get(n))
        raise BACKUP_DAMAGED(f"La table {name} n'a pas les lignes annoncées.")


def encoded_rows(
    connection: sa.Connection, table: str, *, columns: Sequence[str], but: str | None = None
) -> Iterator[bytes]:
    """Every row of a table as it stands in a backup, the same bytes from both engines; `but`: SQL of rows left out."""
    types = {str(c["name"]): c["type"] for c in sa.inspect(connection).get_columns(table)}
    postgresql = connection.dialect.name == "postgresql"

    def told(name: str) -> str:
        # SQLite knows no boolean: it is a number there.
        whole = postgresql and isinstance(types[name], sa.Boolean)
        return f'CAST("{name}" AS integer)' if whole else f'"{name}"'

    blobs = any(isinstance(types[name], sa.LargeBinary | sa.BLOB) for name in columns)
    where = f" WHERE NOT ({but})" if but else ""
    query = sa.text(f'SELECT {", ".join(map(told, columns))} FROM "{table}"{where}')  # noqa: S608 - declared names
    options = {"yield_per": BLOBS_AT_ONCE if blobs else ROWS_AT_ONCE}
    for row in connection.execute(query, execution_options=options):
        yield _encoder.encode(tuple(row))


def tally_of(
    connection: sa.Connection, table: str, *, columns: Sequence[str], but: str | None = None
) -> Counted:
    """What a table holds, counted as in a backup; `but`: SQL of rows left out."""
    tally = Tally()
    for row in encoded_rows(connection, table, columns=columns, but=but):
        tally.add(row)
    return tally.counted()


def in_records(table: str, rows: Iterator[bytes], *, tally: Tally) -> Iterator[Rows]:
    """The encoded rows of a table in records of about 1 MiB, tallied."""
    held: list[msgspec.Raw] = []
    size = 0
    for row in rows:
        tally.add(row)
        held.append(msgspec.Raw(row))
        size += len(row)
        if size >= RECORD_BYTES:
            yield Rows(table, held)
            held, size = [], 0
    if held:
        yield Rows(table, held)
