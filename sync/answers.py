"""What came back over a bad line: the node's answer, its refusal, or something that only looks like one.

Reads answers and raises; asks nothing itself.
"""

import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from sync.seal import BadSignature, PublicKey, check_node_cert, verify_detached
from sync.store import Page, Receipt

TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PROBLEM = "application/problem+json"


class SyncError(Exception):
    """Something a person must know: stable `code`, and a French sentence as text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Unreachable(SyncError):
    """The node did not answer, or something else did in its place: try again later, nothing is lost."""


class Refused(SyncError):
    """The node itself said no (problem+json); asking again without a change is useless."""


class Untrusted(SyncError):
    """A node, grant or receipt that does not chain to the pinned province."""


class NotTheNode(Exception):
    """An answer that cannot be the node's: a captive portal, a proxy, a cut."""


def counted(number: int, one: str, *, many: str) -> str:
    """The number with its noun as French says it: 0 and 1 take the singular."""
    return f"{number} {one if abs(number) < 2 else many}"


def read_cert(cert: str, province: str) -> dict[str, Any]:
    """Claims of a certificate that chains to the pinned thumbprint; Untrusted otherwise."""
    try:
        return check_node_cert(cert, province)
    except BadSignature as error:
        raise Untrusted(
            "not_the_province",
            "Ce serveur n'appartient pas à la province attendue : vérifiez l'adresse et l'empreinte.",
        ) from error


def advised(advice: Any, name: str, *, most: int) -> int:
    """A limit the node advises, never above the protocol's own."""
    found = advice.get(name) if isinstance(advice, dict) else None
    return min(most, found) if isinstance(found, int) and found > 0 else most


def read_object(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; raises NotTheNode."""
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise NotTheNode from error
    if not isinstance(found, dict):
        raise NotTheNode
    return found


def read_page(response: httpx.Response) -> Page:
    """A page of `changes`; it counts only with its last line: without it the answer was cut. Raises NotTheNode."""
    try:
        lines = [orjson.loads(line) for line in response.content.split(b"\n") if line]
        last = lines.pop()
        after = {area: str(position) for area, position in last["after"].items()}
        page = Page(lines, after, str(last["feed"]), bool(last["more"]), dict(last.get("have") or {}))
        check_lines(page.lines)
    except (orjson.JSONDecodeError, IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotTheNode from error
    return page


def check_lines(lines: Iterable[Mapping[str, Any]]) -> None:
    """Raise KeyError, TypeError or ValueError where a line of the feed lacks what a device needs of it."""
    for line in lines:
        if "drop" not in line:
            _ = line["kind"], line["area"], int(line["rev"]), line["leave"] if "leave" in line else line["id"]


def read_receipt(
    text: bytes, signature: str, *, dev: str, keys: Mapping[str, PublicKey], province: PublicKey
) -> Receipt | None:
    """The receipt when a node of these keys (node id → key) or the province signed it for this device, else None."""
    try:
        claims = orjson.loads(text)
        node, sha256, at = claims["node"], claims["sha256"], claims["received_at"]
        key = keys.get(node, province)
        verify_detached(key, text, signature, kid=node, typ="receipt")
        if claims["dev"] != dev or not isinstance(at, str) or _SHA256.fullmatch(sha256) is None:
            return None
    except (orjson.JSONDecodeError, BadSignature, KeyError, TypeError):
        return None
    return Receipt(sha256, node, key.thumbprint() == province.thumbprint(), at, text, signature)


def is_busy(response: httpx.Response) -> bool:
    """Whether the node itself says when to come again: it was reached, the line is not to blame."""
    told = response.headers.get("content-type", "").startswith(_PROBLEM)
    return response.status_code in (429, 503) and told and retry_after(response) is not None


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of Retry-After; a date counts from the server's own Date, since no device clock is trusted."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return (parsedate_to_datetime(text) - parsedate_to_datetime(response.headers["Date"])).total_seconds()
    except (ValueError, KeyError, TypeError):
        return None


def refusal(response: httpx.Response) -> str:
    """Why a failed call may be tried again; raises Refused when the node itself says that it may not."""
    code, detail = "", ""
    if response.headers.get("content-type", "").startswith(_PROBLEM):
        try:
            found = orjson.loads(response.content)
            code, detail = str(found["code"]), str(found.get("detail", ""))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise NotTheNode from error
    if response.status_code in TEMPORARY:
        return detail or f"HTTP {response.status_code}"
    if not code:
        raise NotTheNode
    raise Refused(code, detail or code)
