"""Deadlines before the application sees a request: headers must arrive whole, soon, and within a size. What happens to
the body afterwards is the business of app.web.bodies."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import PROBLEM_JSON, Problem
from app.web.bodies import HEADERS_TOO_LARGE, TOO_SLOW

# A grant is the longest header a tablet sends: about 3 KiB.
MOST_HEADER_BYTES = 64 << 10
# A slow line needs a few round trips of three seconds for a header, not a minute.
HEADER_SECONDS = 60.0


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which alone would wait for a header for ever and hold one of any length.

    A connection on which no whole header stands `header_seconds` after it was opened, or after the first byte of its
    next request, is answered 408 and closed.
    """

    header_seconds = HEADER_SECONDS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._awaited: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first header is awaited from here on: somebody may connect and say nothing."""
        super().connection_made(transport)
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody to wait for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before a header is whole."""
        if not self._in_body:
            if self._awaited is None:
                self._await_header()
            self._header_bytes += len(data)
        super().data_received(data)
        if not self._in_body and self._header_bytes > MOST_HEADER_BYTES:
            self._refuse(HEADERS_TOO_LARGE())

    def on_headers_complete(self) -> None:
        """The header is whole: from here on app.web.bodies watches."""
        self._stop_waiting()
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; the next byte begins another."""
        super().on_message_complete()
        self._in_body = False
        self._header_bytes = 0

    def _await_header(self) -> None:
        self._awaited = self.loop.call_later(self.header_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None

    def _too_slow(self) -> None:
        self._awaited = None
        self._refuse(TOO_SLOW())

    def _refuse(self, problem: Problem) -> None:
        """Answer where no answer is under way, and hang up."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        under_way = getattr(self.cycle, "response_complete", True) is False
        if not under_way:
            body = orjson.dumps(problem.body())
            reason = "Request Timeout" if problem.type.status == 408 else "Request Header Fields Too Large"
            head = (
                f"HTTP/1.1 {problem.type.status} {reason}\r\ncontent-type: {PROBLEM_JSON}\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()


def protocol_within(request_seconds: float) -> type[PatientProtocol]:
    """The protocol whose header deadline fits the node's request deadline."""

    class Protocol(PatientProtocol):
        header_seconds = min(HEADER_SECONDS, request_seconds)

    return Protocol
