"""Request bodies with bounds: decoded from gzip or zstd up to a limit, whole within a deadline, JSON strictly formed.
Stands in front of the application, which then sees plain bodies of known length."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BUSY, INVALID_INPUT, TOO_LARGE, UNREADABLE_BODY, Problem, problem
from app.web.problems import RETRY, render
from app.web.strict_json import check_json

UNKNOWN_CODING = problem(
    "unknown_coding", 400, "Compression inconnue", "Content-Encoding : gzip, zstd ou rien."
)
TOO_SLOW = problem(
    "too_slow", 408, "Envoi trop lent", "L'envoi a duré trop longtemps ; envoyez de plus petits lots."
)
HEADERS_TOO_LARGE = problem(
    "headers_too_large", 431, "En-têtes trop longs", "Envoyez moins d'en-têtes à la fois."
)

MIB = 1 << 20
# Bodies of all requests together: beyond it new ones wait outside (503), however many open connections there are.
MOST_HELD = 256 * MIB
# zstd's own default would let a sender claim a window of 128 MiB; RFC 8878 asks for 8 MiB.
_ZSTD: dict[int, int] = {DecompressionParameter.window_log_max: 23}
_MOST_MEMBERS = 64
_BAD_QUERY = re.compile(rb"[\x00-\x1f\x7f]|%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
_BAD_PATH = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_JSON = re.compile(r"\s*application/(?:[\w.-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_LONG_JSON = 256 << 10


@dataclass(frozen=True, slots=True)
class Bound:
    """The most decoded `bytes` of a body and the `seconds` in which all of it must arrive."""

    bytes: int
    seconds: float


REQUEST_SECONDS = 300.0
DEFAULT = Bound(8 * MIB, REQUEST_SECONDS)


def bounds_within(seconds: float) -> Mapping[str, Bound]:
    """The bounds by path where a request may take so many seconds to arrive.

    A full batch is some 150 kB on the wire: 300 s let it through a 2G line that keeps up half a kilobyte per second.
    """
    return {
        "/sync/v1/batches": Bound(MIB, seconds),
        # A server's relay over a slow line: large, and its sender is another server.
        "/sync/v1/bundles": Bound(64 * MIB, 2 * seconds),
    }


BOUNDS = bounds_within(REQUEST_SECONDS)


class ClientGone(Exception):
    """The sender hung up before its body was whole; there is nobody to answer."""


class BoundedBodies:
    """ASGI middleware; `bounds` are by exact path, `default` holds for every other one."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        bounds: Mapping[str, Bound] = BOUNDS,
        default: Bound = DEFAULT,
        most_held: int = MOST_HELD,
    ) -> None:
        self.app = app
        self.bounds = bounds
        self.default = default
        self.most_held = most_held
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request with its whole plain body on, or answer with the problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = bytearray()
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            _check_address(scope)
            if "content-length" in headers or "transfer-encoding" in headers:
                await self._read(body, headers, receive=receive, path=scope["path"])
                scope, receive = _plain(scope, receive, body=bytes(body))
            await self.app(scope, receive, send)
        except Refused as refused:
            response = render(refused.problem)
            # Unread bytes may still be coming: this connection cannot carry another request.
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
        except ClientGone:
            return
        finally:
            self.held -= len(body)

    async def _read(
        self, body: bytearray, headers: Mapping[str, str], *, receive: Receive, path: str
    ) -> None:
        bound = self.bounds.get(path, self.default)
        try:
            decoder = _Decoder(headers.get("content-encoding", ""), bound.bytes)
            decoder.expect(_announced(headers))
            async with asyncio.timeout(bound.seconds):
                await self._fill(body, decoder, receive=receive)
            decoder.finish()
            if body and _JSON.match(headers.get("content-type", "")):
                if len(body) > _LONG_JSON:
                    await asyncio.to_thread(check_json, bytes(body))
                else:
                    check_json(bytes(body))
        except TimeoutError as error:
            raise Refused(TOO_SLOW()) from error
        except Problem as error:
            raise Refused(error) from error

    async def _fill(self, body: bytearray, decoder: _Decoder, *, receive: Receive) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            decoded = decoder.feed(message.get("body", b""))
            if self.held + len(decoded) > self.most_held:
                raise BUSY(headers=RETRY)
            self.held += len(decoded)
            body += decoded
            more = message.get("more_body", False)


class Refused(Exception):
    """A body this middleware does not let through; kept apart from problems of the application behind it."""

    def __init__(self, refusal: Problem) -> None:
        super().__init__(str(refusal))
        self.problem = refusal


class _Decoder:
    """Undoes one Content-Encoding, never producing more than `limit` + 1 bytes."""

    def __init__(self, coding: str, limit: int) -> None:
        coding = coding.strip().lower()
        if coding not in {"", "identity", "gzip", "x-gzip", "zstd"}:
            raise UNKNOWN_CODING(headers={"Accept-Encoding": "gzip, zstd"})
        self.coding = "" if coding == "identity" else coding
        self.limit = limit
        # What cannot be compressed grows a little by its coding.
        self.most_taken = limit + limit // 64 + 1024 if self.coding else limit
        self.taken = 0
        self.made = 0
        self.members = 0
        self.member: Any = None

    def expect(self, length: int) -> None:
        """Raise `too_large` for a number of coded bytes that must exceed the limit."""
        if length > self.most_taken:
            raise _too_large(self.limit)

    def feed(self, data: bytes) -> bytes:
        """The bytes behind the next piece; raises `too_large` or `unreadable_body`."""
        self.taken += len(data)
        self.expect(self.taken)
        if not self.coding:
            return data
        out = b"".join(self._members(data))
        if self.made > self.limit:
            raise _too_large(self.limit)
        return out

    def finish(self) -> None:
        """Raise `unreadable_body` when the coding's end is missing."""
        if self.coding and (self.member is None or not self.member.eof):
            raise UNREADABLE_BODY("Le contenu compressé est incomplet.")

    def _members(self, data: bytes) -> list[bytes]:
        pieces = []
        while data and self.made <= self.limit:
            if self.member is None or self.member.eof:
                self.members += 1
                if self.members > _MOST_MEMBERS:
                    raise UNREADABLE_BODY("Le contenu compressé a trop de morceaux.")
                zstd = self.coding == "zstd"
                self.member = ZstdDecompressor(options=_ZSTD) if zstd else zlib.decompressobj(31)
            try:
                piece = self.member.decompress(data, self.limit + 1 - self.made)
            except (zlib.error, ZstdError) as error:
                raise UNREADABLE_BODY("Le contenu compressé est abîmé.") from error
            self.made += len(piece)
            pieces.append(piece)
            data = self.member.unused_data if self.member.eof else b""
        return pieces


def _too_large(limit: int) -> Problem:
    return TOO_LARGE(f"Au plus {limit // 1024} Kio sont acceptés à cette adresse, une fois décompressés.")


def _announced(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 16):
        raise UNREADABLE_BODY("L'en-tête Content-Length n'est pas un nombre.")
    return int(length)


def _check_address(scope: Scope) -> None:
    if _BAD_QUERY.search(scope.get("query_string", b"")) or _BAD_PATH.search(scope["path"]):
        raise Refused(INVALID_INPUT("L'adresse contient un caractère interdit."))


def _plain(scope: Scope, receive: Receive, *, body: bytes) -> tuple[Scope, Receive]:
    dropped = {b"content-encoding", b"content-length", b"transfer-encoding"}
    headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
    headers.append((b"content-length", str(len(body)).encode()))
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return {**scope, "headers": headers}, replay
