"""Talking to one node over a bad line: what is its answer and what only looks like one, when to ask again.

Believes nothing that does not chain to the pinned province; stores nothing.
"""

import base64
import binascii
import ipaddress
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import orjson

from sync.answers import (
    NotTheNode,
    Refused,
    Unreachable,
    Untrusted,
    advised,
    is_busy,
    read_cert,
    read_object,
    read_page,
    read_receipt,
    refusal,
    retry_after,
)
from sync.protocol import BATCH_BYTES, BATCH_OPERATIONS
from sync.seal import Key, PublicKey, peek, sign_compact
from sync.store import Page, Receipt

NDJSON = "application/x-ndjson"
_IN_SESSION = ("/status", "/receipts", "/changes", "/packs")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long (seconds) a call is tried: waits double from `first` to `longest`, with jitter.

    `turns`: how often a node that answers that it is busy is asked again; no fault of the line, so it costs no try.
    """

    tries: int = 6
    turns: int = 40
    first: float = 1.0
    longest: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, attempt: int, asked: float | None) -> None:
        """Wait before attempt 1, 2, …; what the node asked for (Retry-After) is the least, ten minutes the most."""
        drawn = min(self.longest, self.first * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        # Those who were told the same moment do not come back in the same one.
        self.sleep(min(600.0, max(drawn, (asked or 0.0) * random.uniform(1.0, 1.1))))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Met:
    """A node as its certificate and its `hello` describe it; keys come from the certificate only."""

    node: str
    kind: str
    name: str
    key: PublicKey
    province_key: PublicKey
    node_cert: str
    feed: str
    nonce: str
    batch_bytes: int
    batch_operations: int


@dataclass(frozen=True, slots=True)
class Session:
    """An opened session: its token, and the device's grant as the node has it now."""

    token: str
    grant: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A pack a node offers: the file's hash and size, the position (the server's text) the area is whole through."""

    area: str
    sha256: str
    bytes: int
    rows: int
    after: str
    feed: str


def check_url(url: str) -> str:
    """Return the address without a final slash; Untrusted (`plain_http`) when it is not HTTPS nor on loopback."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise Untrusted(
            "plain_http", f"Adresse refusée : {url}. HTTPS est obligatoire, sauf sur la machine même."
        )
    return url.rstrip("/")


class Contact:
    """One node at one address. `wire_bytes` counts what went both ways, headers included, TLS not."""

    def __init__(self, http: httpx.Client, url: str, *, province: str, patience: Patience) -> None:
        self.url = check_url(url)
        self.wire_bytes = 0
        self.failures = 0
        self.busy = 0
        self._http = http
        self._province = province
        self._patience = patience
        self._session: Session | None = None
        self._met: Met | None = None

    # -- calls ---------------------------------------------------------------------------------------------

    def hello(self) -> Met:
        """Who answers at this address; Untrusted when its certificate does not chain to the pinned province."""
        self._met = self._ask("GET", "/hello", self._read_hello)
        return self._met

    @property
    def session(self) -> Session | None:
        """The session open with this node, None before the first and after `close_session`."""
        return self._session

    def close_session(self) -> None:
        """Forget the session: the node no longer knows it."""
        self._session = None

    @property
    def met(self) -> Met:
        """The node as last met, met now if it was not."""
        return self._met if self._met is not None else self.hello()

    def enrol(self, *, key: Key, code: str, name: str) -> dict[str, Any]:
        """Ask for a device with this key; the same code and key may be sent again after a cut."""
        thumbprint = key.public.thumbprint()
        proof = sign_compact(key, {"code": code, "node": self.met.node}, kid=thumbprint, typ="enrol")
        asked = {"code": code, "public_key": key.public.jwk(), "name": name, "proof": proof}
        return self._ask("POST", "/enrolments", read_object, json=asked)

    def open_session(self, *, key: Key, dev: str, grant: str, at: float) -> Session:
        """Open a session with a fresh nonce, used once even when the answer is lost; a node that does not know the
        device is shown its grant.

        `at`: what the device's clock says, so that its supervisor sees when it is wrong; it decides nothing.
        """

        def read(response: httpx.Response) -> Session:
            found = read_object(response)
            token, grant = found.get("token"), found.get("grant")
            if not isinstance(token, str):
                raise NotTheNode
            return Session(token, grant if isinstance(grant, str) else None)

        def body() -> dict[str, Any]:
            met = self.hello()
            told = datetime.fromtimestamp(at, UTC).isoformat()
            claims = {"dev": dev, "aud": met.node, "nonce": met.nonce, "time": told}
            return {"json": {"assertion": sign_compact(key, claims, kid=dev, typ="session")}}

        try:
            self._session = self._ask("POST", "/sessions", read, make=body)
        except Refused as refused:
            if refused.code != "grant_required":
                raise
            shown = {"headers": {"Device-Grant": grant}}
            self._session = self._ask("POST", "/sessions", read, make=lambda: body() | shown)
        return self._session

    def push(
        self, content: bytes, *, signature: str, grant: str, sha256: str, dev: str, stranger: bool = False
    ) -> Receipt:
        """Send one batch (gzip) until its receipt verifies; the grant goes along only when the node asks for it, or
        when it is sure to ask: a `stranger` would send the batch twice."""
        headers = {"Content-Type": NDJSON, "Content-Encoding": "gzip", "Batch-Signature": signature}
        if stranger:
            headers["Device-Grant"] = grant

        def read(response: httpx.Response) -> Receipt:
            found = self._check_receipt(
                response.content, response.headers.get("Receipt-Signature", ""), dev=dev
            )
            if found is None or found.sha256 != sha256 or found.node != self.met.node:
                raise NotTheNode
            return found

        try:
            return self._ask("POST", "/batches", read, content=content, headers=headers)
        except Refused as refused:
            if refused.code != "grant_required":
                raise
        return self._ask(
            "POST", "/batches", read, content=content, headers={**headers, "Device-Grant": grant}
        )

    def status(self) -> dict[int, dict[str, Any]]:
        """Epoch → `{"through": n, "holes": [[a, b], …]}` of what the node holds of this device."""

        def read(response: httpx.Response) -> dict[int, dict[str, Any]]:
            try:
                return {
                    int(ep): {
                        "through": int(each["through"]),
                        "holes": [(int(a), int(b)) for a, b in each["holes"]],
                    }
                    for ep, each in read_object(response).items()
                }
            except (ValueError, KeyError, TypeError) as error:
                raise NotTheNode from error

        return self._ask("GET", "/status", read)

    def receipts(self, *, dev: str, ep: int, first: int) -> list[Receipt]:
        """The receipts of this device from operation `first` on: this node's and the province's, those that verify."""

        def read(response: httpx.Response) -> list[Receipt]:
            if not response.headers.get("content-type", "").startswith(NDJSON):
                raise NotTheNode
            found = (self._read_receipt_line(line, dev) for line in response.content.split(b"\n") if line)
            return [each for each in found if each is not None]

        return self._ask("GET", "/receipts", read, params=[("ep", str(ep)), ("from", str(first))])

    def changes(self, after: Mapping[str, str], *, limit_bytes: int) -> Page:
        """One whole page of rows after these positions (none = from 0 in every area of the grant)."""
        params = [("after", f"{area}:{position}") for area, position in after.items()]
        return self._ask("GET", "/changes", read_page, params=[*params, ("limit_bytes", str(limit_bytes))])

    def packs(self) -> list[Offer]:
        """The packs of this device's areas."""

        def read(response: httpx.Response) -> list[Offer]:
            try:
                return [
                    Offer(
                        str(each["area"]),
                        str(each["sha256"]),
                        int(each["bytes"]),
                        int(each["rows"]),
                        str(each["after"]),
                        str(each["feed"]),
                    )
                    for each in orjson.loads(response.content)
                    if _SHA256.fullmatch(each["sha256"])
                ]
            except (ValueError, KeyError, TypeError) as error:
                raise NotTheNode from error

        return self._ask("GET", "/packs", read)

    def piece(self, offer: Offer, first: int, *, last: int) -> bytes:
        """Bytes `first` … `last` of a pack."""

        def read(response: httpx.Response) -> bytes:
            if response.headers.get("ETag") != f'"{offer.sha256}"':
                raise NotTheNode
            whole = response.status_code == 200 and len(response.content) == offer.bytes
            if whole:
                return response.content[first : last + 1]
            span = f"bytes {first}-{last}/{offer.bytes}"
            if response.headers.get("Content-Range") != span or len(response.content) != last - first + 1:
                raise NotTheNode
            return response.content

        headers = {"Range": f"bytes={first}-{last}", "If-Range": f'"{offer.sha256}"'}
        return self._ask("GET", f"/packs/{offer.sha256}", read, headers=headers)

    # -- asking --------------------------------------------------------------------------------------------

    def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[httpx.Response], Read],
        *,
        make: Callable[[], dict[str, Any]] | None = None,
        **request: Any,
    ) -> Read:
        """Ask until `read` accepts the answer. Unreachable after the last try; Refused on the node's own no."""
        reason, attempt, turns = "", 0, 0
        while attempt < self._patience.tries:
            asked: float | None = None
            try:
                response = self._send(method, path, **(make() if make is not None else request))
                asked = retry_after(response)
                if response.is_success:
                    return read(response)
                reason = refusal(response)
                if is_busy(response) and turns < self._patience.turns:
                    turns, self.busy = turns + 1, self.busy + 1
                    self._patience.wait(1, asked)
                    continue
            except httpx.RequestError as error:
                reason = str(error) or type(error).__name__
            except NotTheNode:
                reason = "la réponse ne vient pas du serveur (portail Wi-Fi ?)"
            self.failures += 1
            attempt += 1
            if attempt < self._patience.tries:
                self._patience.wait(attempt, asked)
        raise Unreachable(
            "unreachable",
            f"Serveur injoignable ({self.url}) : {reason.rstrip('.')}. Rien n'est perdu ; réessayez plus tard.",
        )

    def _send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        sent = dict(headers or {})
        if self._session is not None and path.startswith(_IN_SESSION):
            sent["Authorization"] = f"Bearer {self._session.token}"
        response = self._http.request(
            method, f"{self.url}/sync/v1{path}", headers=sent, follow_redirects=False, **request
        )
        out, back = response.request, response
        self.wire_bytes += len(out.content) + response.num_bytes_downloaded
        self.wire_bytes += sum(
            len(name) + len(value) + 4 for each in (out, back) for name, value in each.headers.raw
        )
        return response

    # -- reading -------------------------------------------------------------------------------------------

    def _read_hello(self, response: httpx.Response) -> Met:
        found = read_object(response)
        cert, node, nonce = found.get("node_cert"), found.get("node"), found.get("nonce")
        if not isinstance(node, str) or not isinstance(nonce, str) or "protocols" not in found:
            raise NotTheNode
        if not isinstance(cert, str):
            raise Untrusted("not_joined", "Ce serveur n'est pas encore rattaché à la province.")
        claims = read_cert(cert, self._province)
        if claims["node"] != node:
            raise Untrusted("not_the_province", "Le certificat de ce serveur est celui d'un autre.")
        advice = found.get("advice") or {}
        return Met(
            node=node,
            kind=claims["kind"],
            name=str(found.get("name", "")),
            key=PublicKey.from_jwk(claims["key"]),
            province_key=PublicKey.from_jwk(peek(cert)[1]["province_key"]),
            node_cert=cert,
            feed=str(found.get("feed", "")),
            nonce=nonce,
            batch_bytes=advised(advice, "batch_bytes", most=BATCH_BYTES),
            batch_operations=advised(advice, "batch_operations", most=BATCH_OPERATIONS),
        )

    def _read_receipt_line(self, line: bytes, dev: str) -> Receipt | None:
        try:
            found = orjson.loads(line)
            text = base64.urlsafe_b64decode(found["receipt"] + "=" * (-len(found["receipt"]) % 4))
            return self._check_receipt(text, found["signature"], dev=dev)
        except (orjson.JSONDecodeError, binascii.Error, ValueError, KeyError, TypeError):
            return None

    def _check_receipt(self, text: bytes, signature: str, *, dev: str) -> Receipt | None:
        """The receipt when this node's key or the province's signed it for this device, else None."""
        keys = {self.met.node: self.met.key}
        return read_receipt(text, signature, dev=dev, keys=keys, province=self.met.province_key)
