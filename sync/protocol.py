"""The wire of protocol v1: limits, strict decoding and encoding of batches, lines and dots. Pure, no I/O.

Decides what is readable; whether an operation is allowed is `sync.ledger`, what it means is `sync.merge`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import orjson

from sync.catalogue import GREATEST_INTEGER as GREATEST_INTEGER
from sync.catalogue import is_uuid4

PROTOCOL_VERSION = 1
BATCH_BYTES = 1 << 20
BATCH_OPERATIONS = 5000
LINE_BYTES = 64 << 10
DEPTH = 16
ACTS = frozenset({"set", "void", "restore", "merge", "unmerge", "resolve"})
EVIDENCE = ("act", "document", "declared", "estimated")
GREATEST_EPOCH = (1 << 32) - 1

_PLAIN = frozenset({str, int, bool, type(None)})
_STRING = re.compile(rb'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Unreadable(ValueError):
    """A batch or line that cannot be read; `reason` is a stable snake_case code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """First line of a batch; `from_` and `to` are inclusive operation numbers."""

    v: int
    dev: str
    ep: int
    from_: int
    to: int
    prev: str | None = None
    by: str | None = None


class Operation(msgspec.Struct, gc=False):
    """One operation as decoded; unknown keys are ignored here and stay in the line's bytes."""

    kind: str
    id: str
    new: bool = False
    act: str = "set"
    set: dict[str, Any] = {}
    par: dict[str, list[int | str]] = {}
    ev: Literal["act", "document", "declared", "estimated"] = "declared"
    by: str | None = None
    at: str | None = None
    into: str | None = None


class Line(msgspec.Struct, gc=False):
    """One line of a batch: its bytes without LF, and either its operation or the reason it is unreadable."""

    n: int
    raw: bytes
    operation: Operation | None = None
    reason: str | None = None


@dataclass(slots=True)
class Batch:
    """A decoded batch: `lines[i].n == header.from_ + i`."""

    header: Header
    lines: list[Line]


class _WireHeader(msgspec.Struct, rename={"from_": "from"}):
    v: int
    dev: str
    ep: int
    from_: int
    to: int
    prev: str | None = None
    by: str | None = None


_OPERATION_KEYS = frozenset(Operation.__struct_fields__)


def dot(dev: str, ep: int, n: int) -> str:
    """Return the dot `dev:ep:n` of an operation."""
    return f"{dev}:{ep}:{n}"


def parse_dot(text: str) -> tuple[str, int, int]:
    """Split a dot into (dev, ep, n); ValueError when it is not written exactly as `dot` writes it."""
    dev, ep, n = text.split(":")
    if not is_uuid4(dev) or _DECIMAL.fullmatch(ep) is None or _DECIMAL.fullmatch(n) is None:
        raise ValueError(text)
    if int(ep) > GREATEST_EPOCH or not 1 <= int(n) <= GREATEST_INTEGER:
        raise ValueError(text)
    return dev, int(ep), int(n)


def absolute(par: Sequence[int | str], dev: str, ep: int) -> tuple[str, ...]:
    """Return the dots of a `par` list in full, sorted, each once; bare integers are of (dev, ep)."""
    own = f"{dev}:{ep}:"
    if len(par) == 1:
        only = par[0]
        return (only if isinstance(only, str) else f"{own}{only}",)
    return tuple(sorted({each if isinstance(each, str) else f"{own}{each}" for each in par}))


def _is_too_deep(raw: bytes) -> bool:
    """Tell whether the brackets of a line that is no JSON nest too deep: the parser's own answer hangs on its stack."""
    depth = 0
    for byte in _STRING.sub(b"", raw):
        if byte in b"{[":
            depth += 1
            if depth > DEPTH:
                return True
        elif byte in b"}]":
            depth -= 1
    return False


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Unreadable("nul")
    if _SURROGATE.search(text):
        raise Unreadable("lone_surrogate")


def _check_values(value: Any) -> None:
    """Raise on depth, NUL, lone surrogates and numbers beyond ±(2^53-1) anywhere in a parsed line.

    The line's own object is depth 1. Every number that large is an integer to a binary64 reader, however it is spelt,
    so 1e20 counts as one.
    """
    level = [value]
    for depth in range(1, DEPTH + 2):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict | list):
                if depth > DEPTH:
                    raise Unreadable("depth")
                below += item
                if isinstance(item, dict):
                    below += item.values()
            elif isinstance(item, int | float) and not -GREATEST_INTEGER <= item <= GREATEST_INTEGER:
                raise Unreadable("number")
        level = below


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("duplicate_key")
    return found


def _integer(digits: str) -> int:
    # int() takes quadratic time on thousands of digits, and refuses them later on.
    if len(digits) > 17:
        raise Unreadable("number")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise Unreadable("not_json")


def _parse_slowly(raw: bytes) -> Any:
    """Parse one line with every check of section 3; the reference the fast path must agree with."""
    try:
        found = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError as error:
        raise Unreadable("not_utf8") from error
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable("depth" if _is_too_deep(raw) else "not_json") from error
    _check_values(found)
    return found


def _is_plain(found: Any) -> bool:
    """Tell whether a parsed line has only known keys, flat values or lists of texts, and no number out of bounds."""
    if type(found) is not dict or not found.keys() <= _OPERATION_KEYS:
        return False
    values = found.get("set")
    if values is None:
        return True
    if type(values) is not dict:
        return False
    for value in values.values():
        kind = type(value)
        if kind in _PLAIN:
            continue
        if kind is float:
            if not -GREATEST_INTEGER <= value <= GREATEST_INTEGER:
                return False
        elif kind is not list or not all(type(each) is str for each in value):
            return False
    return True


def _canonical(raw: bytes) -> Any:
    """What a line equal to its own re-encoding says, else None.

    Such a line has no key twice, no lone surrogate and no integer beyond ±(2^53-1).
    """
    if b"\\" in raw and b"\\u" in raw:
        return None
    try:
        found = orjson.loads(raw)
        return found if orjson.dumps(found, option=orjson.OPT_STRICT_INTEGER) == raw else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def is_canonical(raw: bytes) -> bool:
    """Tell whether a line is the compact encoding of what it says: then no key stands in it twice."""
    return _canonical(raw) is not None


def _parse(raw: bytes) -> Any:
    """Parse one line, taking the slow road only when something on it asks for a closer look."""
    found = _canonical(raw)
    if found is None:
        return _parse_slowly(raw)
    if not _is_plain(found):
        _check_values(found)
    return found


def _check_par(par: Mapping[str, list[int | str]], n: int, *, own: str) -> None:
    for dots in par.values():
        for each in dots:
            if isinstance(each, str):
                try:
                    number = parse_dot(each)[2]
                except ValueError as error:
                    raise Unreadable("par") from error
                if number >= n and each.startswith(own):
                    raise Unreadable("par")
            elif not 1 <= each < n:
                raise Unreadable("par")


def read_line(raw: bytes, n: int, *, dev: str = "", ep: int = 0) -> Operation:
    """Decode one line (bytes without LF) with number `n` of (dev, ep).

    Raises Unreadable: too_long, not_utf8, depth, not_json, duplicate_key, nul, lone_surrogate, number, shape, id,
    par (protocol section 3).
    """
    if len(raw) > LINE_BYTES:
        raise Unreadable("too_long")
    found = _parse(raw)
    try:
        operation = msgspec.convert(found, Operation)
    except msgspec.ValidationError as error:
        raise Unreadable("shape") from error
    if not is_uuid4(operation.id):
        raise Unreadable("id")
    if "" in operation.set:
        raise Unreadable("shape")
    if operation.par:
        _check_par(operation.par, n, own=f"{dev}:{ep}:")
    return operation


def _read_header(raw: bytes) -> Header:
    try:
        if len(raw) > LINE_BYTES:
            raise Unreadable("too_long")
        found = msgspec.convert(_parse_slowly(raw), _WireHeader)
    except (Unreadable, msgspec.ValidationError) as error:
        raise Unreadable("header") from error
    if found.v != PROTOCOL_VERSION:
        raise Unreadable("version")
    if not is_uuid4(found.dev):
        raise Unreadable("header")
    if not 0 <= found.ep <= GREATEST_EPOCH:
        raise Unreadable("epoch")
    if not 1 <= found.from_ <= found.to:
        raise Unreadable("range")
    return Header(
        v=found.v, dev=found.dev, ep=found.ep, from_=found.from_, to=found.to, prev=found.prev, by=found.by
    )


def read_frame(data: bytes) -> tuple[Header, list[bytes]]:
    """The header of a batch (bytes after content decoding) and its operation lines without LF, not yet read.

    Raises Unreadable when header or framing is unusable: batch_too_long, no_final_newline, header, version, epoch,
    range, count, too_many_operations.
    """
    if len(data) > BATCH_BYTES:
        raise Unreadable("batch_too_long")
    if not data.endswith(b"\n"):
        raise Unreadable("no_final_newline")
    first, *raws = data.split(b"\n")
    raws.pop()
    header = _read_header(first)
    if len(raws) > BATCH_OPERATIONS:
        raise Unreadable("too_many_operations")
    if len(raws) != header.to - header.from_ + 1:
        raise Unreadable("count")
    return header, raws


def read_one(raw: bytes, n: int, *, header: Header) -> Line:
    """One line of a batch; a bad one is kept with its reason."""
    try:
        return Line(n, raw, read_line(raw, n, dev=header.dev, ep=header.ep))
    except Unreadable as error:
        return Line(n, raw, None, error.reason)


def read_batch(data: bytes) -> Batch:
    """Decode a batch; a bad line is kept with its reason and stops nothing. Raises Unreadable like `read_frame`."""
    header, raws = read_frame(data)
    return Batch(header, [read_one(raw, n, header=header) for n, raw in enumerate(raws, header.from_)])


def write_line(operation: Mapping[str, Any]) -> bytes:
    """Encode an operation as compact JSON without LF; numbers must be finite and within ±(2^53-1)."""
    return orjson.dumps(operation, option=orjson.OPT_STRICT_INTEGER)


def write_batch(header: Header, lines: Sequence[bytes]) -> bytes:
    """Encode a batch from its header and its lines without LF; ValueError when their number differs."""
    if len(lines) != header.to - header.from_ + 1:
        raise ValueError("count")
    first = {
        "v": header.v,
        "dev": header.dev,
        "ep": header.ep,
        "from": header.from_,
        "to": header.to,
        "prev": header.prev,
        "by": header.by,
    }
    return b"\n".join((orjson.dumps(first), *lines, b""))
