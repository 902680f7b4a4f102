"""A client of an application in the same process: no socket, but the whole path from ASGI message to answer."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncIterator, Iterable
from contextvars import copy_context
from typing import Any

import httpx
from fastapi import FastAPI


class Loops(threading.local):
    """One event loop for each thread: a new one for each request takes longer than most requests."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        atexit.register(self.runner.close)


LOOPS = Loops()


class InProcess:
    """Sends requests as if they came from `host`; an error of the application becomes its answer."""

    def __init__(self, application: FastAPI, *, host: str = "127.0.0.1") -> None:
        self.application = application
        transport = httpx.ASGITransport(application, client=(host, 40000), raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://mboka.example")

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer to one request; the options are those of httpx."""
        self._client.cookies.clear()
        return LOOPS.runner.run(self._client.request(method, path, **options), context=copy_context())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **options)

    def patch(self, path: str, **options: Any) -> httpx.Response:
        """PATCH."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        """DELETE."""
        return self.request("DELETE", path, **options)


async def trickle(pieces: Iterable[bytes], *, pause: float) -> AsyncIterator[bytes]:
    """A body that comes piece by piece."""
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece
