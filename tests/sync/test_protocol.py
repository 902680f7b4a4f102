"""What a node reads and refuses on the wire: limits, strict decoding, dots. The fixed cases stand in the vectors."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync import protocol
from sync.protocol import Header, Unreadable, read_batch, read_line, write_batch, write_line

DEV = "0b54e8a0-6f3c-4d2a-9c1e-2f0d4a6b8c10"
OTHER = "7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"
PERSON = "c3d6a1f4-8e2b-4f7a-a5d9-1b0c2e4f6a83"

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def line(**more: Any) -> bytes:
    return json.dumps({"kind": "person", "id": PERSON, **more}, separators=(",", ":")).encode()


def outcome(raw: bytes, n: int = 5) -> Any:
    try:
        return read_line(raw, n, dev=DEV, ep=7)
    except Unreadable as error:
        return error.reason


def header(count: int, first: int = 1) -> Header:
    return Header(v=1, dev=DEV, ep=7, from_=first, to=first + count - 1, prev=None, by="agent-1")


@given(
    st.dictionaries(st.text(max_size=4), VALUES, max_size=4),
    st.dictionaries(st.text(max_size=4), VALUES, max_size=2),
)
@settings(max_examples=300, deadline=None)
@example({"a": 9007199254740992.0}, {})
@example({"a": 1e20}, {})
@example({}, {"later": [2**53]})
@example({"a": "\0"}, {})
@example({"\0": 1}, {})
@example({}, {"\0": {"\0": "\0"}})
def test_a_line_spelt_otherwise_has_the_same_meaning_or_the_same_fault(
    values: dict[str, Any], unknown: dict[str, Any]
) -> None:
    whole = {**unknown, "kind": "person", "id": PERSON, "set": values}
    compact = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    spaced = json.dumps(whole, indent=None, separators=(" , ", " : "), ensure_ascii=True).encode()
    if any("\ud800" <= letter <= "\udfff" for letter in json.dumps(whole, ensure_ascii=False)):
        assert isinstance(outcome(spaced), str)
    else:
        assert outcome(compact) == outcome(spaced)


@given(st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=4))
@settings(max_examples=200, deadline=None)
def test_what_a_tablet_writes_a_server_reads(values: dict[str, Any]) -> None:
    try:
        raw = write_line({"kind": "person", "id": PERSON, "set": values})
    except orjson.JSONEncodeError:
        return
    found = outcome(raw)
    assert found in ("number", "nul") or found.set == values


def deep(levels: int) -> bytes:
    return line(set={"a": 0}).replace(b":0}", b":" + b"[" * levels + b"]" * levels + b"}")


def test_sixteen_levels_are_read_and_seventeen_are_not() -> None:
    assert not isinstance(outcome(deep(14)), str)
    assert outcome(deep(15)) == "depth"
    assert outcome(deep(900)) == outcome(deep(30_000)) == "depth"


def test_a_deep_line_that_is_no_json_gets_the_same_reason_however_deep() -> None:
    opened = [line(set={"a": 0}).replace(b":0}", b":" + b"[" * levels) for levels in (20, 900, 1100, 60_000)]
    assert {outcome(raw) for raw in opened} == {"depth"}
    assert outcome(line(set={"a": 0}).replace(b":0}", b':"[[[[[[[[[[[[[[[[[[[[[[')) == "not_json"


def test_a_line_of_64_kib_is_read_and_one_byte_more_is_not() -> None:
    longest = line(set={"note": ""}).replace(
        b'""', b'"' + b"x" * (65_536 - len(line(set={"note": ""}))) + b'"'
    )
    assert len(longest) == protocol.LINE_BYTES
    assert not isinstance(outcome(longest), str)
    assert outcome(longest + b" ") == "too_long"


def test_a_line_of_quotes_alone_does_not_hold_up_the_server() -> None:
    assert outcome(b'{"a":' + b'"\\"' * 20_000) == "not_json"


@pytest.mark.parametrize(
    ("par", "readable"),
    [
        ([4], True),
        ([5], False),
        ([6], False),
        ([0], False),
        ([-1], False),
        ([f"{DEV}:7:4"], True),
        ([f"{DEV}:7:5"], False),
        ([f"{DEV}:8:5"], True),
        ([f"{OTHER}:7:900"], True),
        (["7:5"], False),
        ([f"{OTHER}:07:9"], False),
        ([f"{OTHER}:7:0"], False),
        ([f"{OTHER}:4294967296:1"], False),
        ([f"{OTHER.upper()}:7:9"], False),
        ([], True),
    ],
)
def test_an_author_cannot_have_seen_what_he_had_not_yet_written(par: list[int | str], readable: bool) -> None:
    assert (outcome(line(set={"phone": "1"}, par={"phone": par})) == "par") is not readable


def test_own_dots_are_written_in_full_once_and_sorted() -> None:
    assert protocol.absolute([12, f"{OTHER}:1:2", 3, 12], DEV, 7) == (
        f"{DEV}:7:12",
        f"{DEV}:7:3",
        f"{OTHER}:1:2",
    )
    assert protocol.absolute([], DEV, 7) == ()
    assert protocol.parse_dot(protocol.dot(DEV, 4_294_967_295, 1)) == (DEV, 4_294_967_295, 1)


def test_one_bad_line_does_not_hold_up_its_neighbours() -> None:
    good = line(set={"nom": "Mbuyi"})
    found = read_batch(write_batch(header(3, first=40), [good, b"{nonsense", good]))
    assert [each.n for each in found.lines] == [40, 41, 42]
    assert [each.reason for each in found.lines] == [None, "not_json", None]
    assert found.lines[1].raw == b"{nonsense"
    assert found.lines[2].operation == found.lines[0].operation


def test_the_header_is_read_back_as_it_was_written() -> None:
    whole = Header(v=1, dev=DEV, ep=4_294_967_295, from_=3, to=3, prev="ab" * 32, by=None)
    assert read_batch(write_batch(whole, [line()])).header == whole


def refused(data: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        read_batch(data)
    return caught.value.reason


def test_a_batch_of_5000_operations_is_read_and_5001_are_not() -> None:
    small = line()
    assert len(read_batch(write_batch(header(5000), [small] * 5000)).lines) == 5000
    assert refused(write_batch(header(5001), [small] * 5001)) == "too_many_operations"


def test_a_batch_of_one_mebibyte_is_read_and_one_byte_more_is_not() -> None:
    empty = write_batch(header(17), [b""] * 17)
    room = protocol.BATCH_BYTES - len(empty)
    lines = [b"x" * 65_000] * 16 + [b"x" * (room - 16 * 65_000)]
    full = write_batch(header(17), lines)
    assert len(full) == protocol.BATCH_BYTES
    assert len(read_batch(full).lines) == 17
    assert refused(full[:-1] + b"x\n") == "batch_too_long"


def test_a_batch_with_another_number_of_lines_than_announced_is_not_guessed_at() -> None:
    data = write_batch(header(2), [line(), line()])
    assert refused(data + line() + b"\n") == "count"
    assert refused(data + b"\n") == "count"
    assert refused(data[:-1]) == "no_final_newline"
    assert refused(b"") == "no_final_newline"
    with pytest.raises(ValueError, match="count"):
        write_batch(header(2), [line()])


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_whatever_break_the_reader(noise: bytes) -> None:
    whole = write_batch(header(1), [noise.replace(b"\n", b"")])
    assert read_batch(whole).lines[0].reason is not None
    with pytest.raises(Unreadable):
        read_batch(noise)
