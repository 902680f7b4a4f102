"""What strangers, broken programs and tired fingers send: bodies no JSON reader takes, values of no field, and the form
every refusal must have."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx
from backports import zstd

from tests.conftest import FULL
from tests.web.conftest import refusal

T = TypeVar("T")

BIG = 10_000_000
UUID4 = "7b0f2f4e-5f55-4c3a-9a0c-2f1e6a3d9b10"
UUID1 = "6fa459ea-ee8a-11d3-a456-00c04fd430c8"
SQL = "'; DROP TABLE person; --"

_ENGLISH = re.compile(
    r"\b(should|must|field required|not found|invalid|expected|error|value is)\b", re.IGNORECASE
)


def refused(answer: httpx.Response) -> str:
    """The code of an answer that must be a small problem in French, never an error of the server's own."""
    status, code = refusal(answer)
    assert 400 <= status < 500, answer.text
    body = answer.json()
    assert re.fullmatch(r"[a-z][a-z0-9_]+", code)
    told = [body["title"], body["detail"], *(error["message"] for error in body.get("errors", []))]
    for text in told:
        assert text.strip()
        assert not _ENGLISH.search(text), text
    assert len(answer.content) < 20_000, "an answer is not an echo"
    return str(code)


def told_or_done(answer: httpx.Response) -> str:
    """The code of a refusal, or the status of what was done after all."""
    return refused(answer) if answer.is_error else str(answer.status_code)


def nested(depth: int) -> bytes:
    """Brackets in brackets."""
    return b'{"nom":' + b"[" * depth + b"]" * depth + b"}"


# What no JSON body may be: name → (body, headers, the code it gets).
BROKEN: dict[str, tuple[bytes, dict[str, str], str]] = {
    "cut": (b'{"nom":', {}, "unreadable_body"),
    "two documents": (b"{}{}", {}, "unreadable_body"),
    "single quotes": (b"{'nom':1}", {}, "unreadable_body"),
    "latin-1": ('{"nom":"Hélène"}'.encode("latin-1"), {}, "unreadable_body"),
    "utf-16": ('{"nom":"Grace"}'.encode("utf-16"), {}, "unreadable_body"),
    "surrogates as bytes": (b'{"nom":"\xed\xa0\x80"}', {}, "unreadable_body"),
    "a name twice": (b'{"nom":"A","nom":"B"}', {}, "unreadable_body"),
    "NaN": (b'{"order":NaN}', {}, "unreadable_body"),
    "Infinity": (b'{"order":-Infinity}', {}, "unreadable_body"),
    "1e400": (b'{"order":1e400}', {}, "unreadable_body"),
    "5,000 digits": (b'{"order":' + b"9" * 5000 + b"}", {}, "unreadable_body"),
    "10,000 lists": (nested(10_000), {}, "unreadable_body"),
    "10,000 objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, {}, "unreadable_body"),
    "half of 10,000 lists": (b"[" * 10_000, {}, "unreadable_body"),
    "a raw control character": (b'{"nom":"a\x01b"}', {}, "unreadable_body"),
    "U+0000": (b'{"nom":"a\\u0000b"}', {}, "invalid_input"),
    "U+0000 in a name": (b'{"a\\u0000":1}', {}, "invalid_input"),
    "a control character": (b'{"nom":"a\\u001bb"}', {}, "invalid_input"),
    "a lone surrogate": (b'{"nom":"\\ud800"}', {}, "invalid_input"),
    "a list": (b"[]", {}, "invalid_input"),
    "a text": (b'"nom"', {}, "invalid_input"),
    "a number": (b"7", {}, "invalid_input"),
    "null": (b"null", {}, "invalid_input"),
    "nothing": (b"", {}, "invalid_input"),
    "10 MB": (b'{"nom":"' + b"x" * BIG + b'"}', {}, "too_large"),
    "a gzip bomb": (gzip.compress(b" " * 30_000_000, 6), {"Content-Encoding": "gzip"}, "too_large"),
    "a zstd bomb": (zstd.compress(b" " * 30_000_000), {"Content-Encoding": "zstd"}, "too_large"),
    "no gzip": (b"{}", {"Content-Encoding": "gzip"}, "unreadable_body"),
    "half a gzip": (gzip.compress(b'{"nom":"A"}')[:-6], {"Content-Encoding": "gzip"}, "unreadable_body"),
    "no zstd": (b"{}", {"Content-Encoding": "zstd"}, "unreadable_body"),
    "brotli": (b"{}", {"Content-Encoding": "br"}, "unknown_coding"),
}

# Values of every JSON type, for fields that want another.
STRANGE: list[Any] = [
    None, True, 0, 2**53, -(2**63), 10**30, 1e300, "", SQL, "x" * 20_000, "\u202eabc", "２０２６", "2026-02-30", UUID4,
    ["x"] * 2000, {"a": {"b": [1]}},
]  # fmt: skip


def share(values: Sequence[T], at: int, *, of: int = 3) -> Sequence[T]:
    """Every third of these values, other ones for each place `at`; all of them in the full run."""
    return values if FULL else values[at % of :: of]


# Text of a query or a path, as it stands in the address.
ADDRESSED = [
    "", "x", "-1", "0", "1.5", "1e400", "NaN", "true", "null", str(2**31), str(2**63), str(10**30), "%00", "%ff",
    "%ed%a0%80", "%0d%0aX:1", "%F0%9F%98%80", "%27%3B%20DROP%20TABLE%20person%3B%20--", "..%2f..%2fetc%2fpasswd",
    "%EF%BC%91%EF%BC%92", "%25%5F", "x" * 50_000,
]  # fmt: skip
NO_IDS = [
    "1", "x", "null", UUID4.upper(), UUID1, UUID4.replace("-", ""), f"%7B{UUID4}%7D", f"urn:uuid:{UUID4}", f"{UUID4}0",
    UUID4.replace("4c", "5c"), f"{UUID4}%0a", "%00", "%ff", "%E2%80%AE", "x" * 50_000,
]  # fmt: skip


def text_of(value: Any) -> bytes:
    """A body as a careless program writes it: surrogates and control characters escaped."""
    return json.dumps(value).encode()
