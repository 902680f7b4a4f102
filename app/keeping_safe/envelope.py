"""The encrypted file of a backup: zstd, then AES-256-GCM in pieces, under a key only the recovery key's holder can
derive again. Knows nothing of what is inside."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from backports import zstd
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import problem

MAGIC = b"MBOKA-BACKUP-1\n"
PIECE = 256 << 10
TAG = 16
LEVEL = 6
# A header is a few hundred bytes; a damaged length must not make the reader ask for gigabytes.
LONGEST_HEADER = 16 << 10
_LENGTH = struct.Struct(">I")
_POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)

BACKUP_DAMAGED = problem(
    "backup_damaged",
    422,
    "Sauvegarde abîmée ou incomplète",
    "Rien n'a été restauré. Prenez la sauvegarde précédente, ou une autre copie de ce fichier.",
)
RECOVERY_KEY_WRONG = problem(
    "recovery_key_wrong",
    422,
    "Cette clé de secours n'ouvre pas cette sauvegarde",
    "Rien n'a été restauré. Prenez la clé de secours qui était en service le jour de la sauvegarde.",
)


def key_name(public: ec.EllipticCurvePublicKey) -> str:
    """The short name of a recovery key: the first 16 hex digits of the SHA-256 of its point."""
    return hashlib.sha256(public.public_bytes(*_POINT)).hexdigest()[:16]


def _content_key(secret: bytes, header: bytes) -> bytes:
    """ECDH-ES with HKDF-SHA256; the header (ephemeral point, name of the key) is bound in."""
    return HKDF(SHA256(), 32, salt=None, info=MAGIC + header).derive(secret)


def _nonce(number: int, *, last: bool) -> bytes:
    """The piece's number and whether it is the last: a piece moved, repeated or missing does not open."""
    return struct.pack(">QI", number, last)


class Sealing:
    """Writes one sealed file: `write` plain bytes, then `close`. `key` opens it again while the writer lives."""

    def __init__(self, path: Path, public: ec.EllipticCurvePublicKey) -> None:
        once = ec.generate_private_key(ec.SECP256R1())
        point = base64.b64encode(once.public_key().public_bytes(*_POINT)).decode()
        header = json.dumps({"epk": point, "key": key_name(public)}, sort_keys=True).encode()
        self.key = _content_key(once.exchange(ec.ECDH(), public), header)
        self._cipher = AESGCM(self.key)
        self._packed = zstd.ZstdCompressor(LEVEL)
        self._pending = bytearray()
        self._number = 0
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._file.write(MAGIC + _LENGTH.pack(len(header)) + header)

    def write(self, data: bytes) -> None:
        """Take plain bytes."""
        self._pending += self._packed.compress(data)
        while len(self._pending) > PIECE:
            self._seal(bytes(self._pending[:PIECE]), last=False)
            del self._pending[:PIECE]

    def close(self) -> None:
        """Seal what is left under the last-piece marker, and make it durable."""
        self._pending += self._packed.flush()
        while len(self._pending) > PIECE:
            self._seal(bytes(self._pending[:PIECE]), last=False)
            del self._pending[:PIECE]
        self._seal(bytes(self._pending), last=True)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is; it is worth nothing."""
        self._file.close()

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), piece, None))
        self._number += 1


class Opening:
    """Reads one sealed file with the recovery key, or with the content `key` its writer still holds.

    Raises `recovery_key_wrong`, `backup_damaged`; OSError where the file cannot be read.
    """

    def __init__(
        self, path: Path, *, recovery: ec.EllipticCurvePrivateKey | None = None, key: bytes | None = None
    ) -> None:
        self._path = path
        with path.open("rb") as file:
            header = _read_header(file)
            self._start = file.tell()
        self._key = key if recovery is None else _derive(header, recovery)
        self.sha256 = ""

    def pieces(self) -> Iterator[bytes]:
        """The plain bytes, in pieces; `sha256` of the whole file is known afterwards."""
        if self._key is None:
            raise RECOVERY_KEY_WRONG()
        cipher, hashed = AESGCM(self._key), hashlib.sha256()
        unpacked = zstd.ZstdDecompressor()
        with self._path.open("rb") as file:
            hashed.update(file.read(self._start))
            number, sealed = 0, file.read(PIECE + TAG)
            last = False
            while not last:
                after = file.read(PIECE + TAG)
                last = not after
                hashed.update(sealed)
                yield from _unpacked(unpacked, _open(cipher, sealed, number=number, last=last))
                number, sealed = number + 1, after
        if not unpacked.eof or unpacked.unused_data:
            raise BACKUP_DAMAGED("La fin du fichier manque.")
        self.sha256 = hashed.hexdigest()


def _open(cipher: AESGCM, sealed: bytes, *, number: int, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, last=last), sealed, None)
    except (InvalidTag, ValueError) as error:
        place = "à sa fin" if last else f"vers l'octet {number * (PIECE + TAG)}"
        raise BACKUP_DAMAGED(f"Le fichier a été changé ou coupé {place}.") from error


def _unpacked(unpacked: zstd.ZstdDecompressor, piece: bytes) -> Iterator[bytes]:
    """At most 1 MiB at a time, however well it was packed."""
    try:
        data = unpacked.decompress(piece, 1 << 20) if not unpacked.eof else b""
        while data:
            yield data
            data = b"" if unpacked.eof or unpacked.needs_input else unpacked.decompress(b"", 1 << 20)
    except zstd.ZstdError as error:
        raise BACKUP_DAMAGED() from error


def _read_header(file: BinaryIO) -> bytes:
    if file.read(len(MAGIC)) != MAGIC:
        raise BACKUP_DAMAGED("Ce fichier n'est pas une sauvegarde de Mboka.")
    length = file.read(_LENGTH.size)
    wanted = _LENGTH.unpack(length)[0] if len(length) == _LENGTH.size else LONGEST_HEADER + 1
    header = file.read(wanted) if wanted <= LONGEST_HEADER else b""
    if not header or len(header) != wanted:
        raise BACKUP_DAMAGED("Le début du fichier est abîmé.")
    return header


def _derive(header: bytes, recovery: ec.EllipticCurvePrivateKey) -> bytes:
    try:
        told = json.loads(header)
        point = base64.b64decode(told["epk"], validate=True)
        other = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        name = str(told["key"])
    except (ValueError, KeyError, TypeError) as error:
        raise BACKUP_DAMAGED("Le début du fichier est abîmé.") from error
    own = key_name(recovery.public_key())
    if name != own:
        raise RECOVERY_KEY_WRONG(f"La sauvegarde est pour la clé {name}, celle-ci est la clé {own}.")
    return _content_key(recovery.exchange(ec.ECDH(), other), header)


class Stream:
    """The pieces of an opened file as one stream of plain bytes, for readers that ask for so many bytes."""

    def __init__(self, opening: Opening) -> None:
        self._pieces = opening.pieces()
        self._held = bytearray()

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes, or fewer at the end."""
        while len(self._held) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held += piece
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken
