"""The network between a device and nodes in this process, as bad as a test wants it: the only thing faked here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from sync.contact import Patience

HOME = "http://127.0.0.1:8017"
PROVINCE = "http://127.0.0.1:8018"
PORTAL = "<html><title>Bienvenue sur le Wi-Fi</title>Achetez un forfait.</html>"
_PROBLEM = {"Content-Type": "application/problem+json"}
Fault = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]


def lost_before(request: httpx.Request, _go: Callable[[], httpx.Response]) -> httpx.Response:
    """The request never arrives."""
    raise httpx.ConnectTimeout("coupure", request=request)


def lost_after(request: httpx.Request, go: Callable[[], httpx.Response]) -> httpx.Response:
    """The request arrives, its answer does not."""
    go()
    raise httpx.ReadTimeout("coupure", request=request)


def portal(request: httpx.Request, _go: Callable[[], httpx.Response]) -> httpx.Response:
    """A captive portal answers in the node's place: 200, and HTML."""
    return httpx.Response(200, html=PORTAL, request=request)


def truncated(request: httpx.Request, go: Callable[[], httpx.Response]) -> httpx.Response:
    """Half of the answer arrives, and looks like all of it."""
    whole = go()
    return httpx.Response(
        whole.status_code,
        headers=[(n, v) for n, v in whole.headers.raw if n.lower() != b"content-length"],
        content=whole.content[: len(whole.content) // 2],
        request=request,
    )


def busy(request: httpx.Request, _go: Callable[[], httpx.Response]) -> httpx.Response:
    """The node has no time and says when to come again."""
    problem = {"code": "busy", "detail": "Serveur occupé"}
    headers = {"Retry-After": "7", "Content-Type": "application/problem+json"}
    return httpx.Response(503, json=problem, headers=headers, request=request)


def refusal(status: int, code: str) -> Fault:
    """The node itself says no."""

    def answer(request: httpx.Request, _go: Callable[[], httpx.Response]) -> httpx.Response:
        return httpx.Response(
            status, json={"code": code, "detail": "Non."}, headers=_PROBLEM, request=request
        )

    return answer


@dataclass
class Network(httpx.BaseTransport):
    """Carries requests to the application listening at each address; `faults` befall the next calls of a path."""

    applications: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, list[Fault | None]] = field(default_factory=dict)
    calls: list[tuple[str, str, bytes]] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request, or let the fault befall it that is due."""
        body = request.read()
        self.calls.append((request.method, request.url.path, body))

        def go() -> httpx.Response:
            return asyncio.run(self._carry(request, body))

        due = self.faults.get(request.url.path.removeprefix("/sync/v1"), [])
        fault = due.pop(0) if due else None
        return fault(request, go) if fault is not None else go()

    async def _carry(self, request: httpx.Request, body: bytes) -> httpx.Response:
        application = self.applications[f"http://{request.url.host}:{request.url.port}"]
        transport = httpx.ASGITransport(application, client=("127.0.0.1", 40000), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport) as client:
            carried = await client.request(request.method, request.url, headers=request.headers, content=body)
        headers = [
            (name, value) for name, value in carried.headers.raw if name.lower() != b"content-encoding"
        ]
        return httpx.Response(carried.status_code, headers=headers, content=carried.content, request=request)

    def sent(self, path: str) -> list[bytes]:
        """The bodies sent to a path so far, whether they arrived or not."""
        return [body for _, called, body in self.calls if called == f"/sync/v1{path}"]

    def client(self) -> httpx.Client:
        """A client on this network."""
        return httpx.Client(transport=self)


@dataclass
class Waits:
    """A clock that only notes how long one would have slept."""

    seconds: list[float] = field(default_factory=list)

    def patience(self, tries: int = 4) -> Patience:
        """A patience that does not really wait."""
        return Patience(tries=tries, first=1.0, longest=8.0, sleep=self.seconds.append)
