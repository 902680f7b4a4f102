"""What a tablet signs is receipted whatever it holds: what cannot be read is kept aside, and the families before,
between and after it are counted."""

from __future__ import annotations

import gzip
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from backports import zstd

from sync.protocol import BATCH_BYTES, LINE_BYTES, Header, write_batch, write_line
from sync.seal import sign_detached
from tests.conftest import Engines
from tests.lasting import ENGINES
from tests.nodes import Tablet, TestNode, new
from tests.web.bad import BIG, SQL, UUID1, UUID4, refused, told_or_done
from tests.web.signed import (
    COMMUNE,
    Readers,
    family,
    log_in_readers,
    open_node,
    persons,
    post,
    push,
    read_everything,
)


@pytest.fixture(scope="module", params=ENGINES)
def node(
    request: pytest.FixtureRequest, engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestNode]:
    with open_node(engines, request.param, tmp_path_factory.mktemp("signed")) as made:
        yield made


@pytest.fixture
def tablet(node: TestNode) -> Tablet:
    return node.tablet(COMMUNE)


@pytest.fixture(scope="module")
def readers(node: TestNode) -> Readers:
    return log_in_readers(node)


# -- lines --------------------------------------------------------------------------------------------------------


def line(values: str = '"nom":"A"', *, identity: str = UUID4, more: str = "") -> bytes:
    """A line as text, for what no encoder writes."""
    return f'{{"kind":"person","id":"{identity}","new":true,"set":{{{values}}}{more}}}'.encode(
        "utf-8", "surrogatepass"
    )


def deep(levels: int) -> bytes:
    return line('"nom":' + "[" * levels + "]" * levels)


POISON: dict[str, tuple[bytes, str]] = {
    "latin-1": (line('"nom":"?"').replace(b"?", b"\xe9"), "not_utf8"),
    "a surrogate as bytes": (line('"nom":"\ud800"'), "not_utf8"),
    "a name twice": (line('"nom":"A","nom":"B"'), "duplicate_key"),
    "a key twice": (line(more=',"ev":"act","ev":"declared"'), "duplicate_key"),
    "U+0000": (line('"nom":"a\\u0000"'), "nul"),
    "U+0000 in a name": (line('"a\\u0000":1'), "nul"),
    "a raw NUL": (line('"nom":"a\x00"'), "not_json"),
    "a lone surrogate": (line('"nom":"\\ud800"'), "lone_surrogate"),
    "surrogates the wrong way round": (line('"nom":"\\udc00\\ud800"'), "lone_surrogate"),
    "2^53": (line(f'"line":{2**53}'), "number"),
    "-2^53": (line(f'"line":{-(2**53)}'), "number"),
    "1e400": (line('"line":1e400'), "number"),
    "1e308": (line('"line":1e308'), "number"),
    "5,000 digits": (line('"line":' + "9" * 5000), "number"),
    "NaN": (line('"line":NaN'), "not_json"),
    "-Infinity": (line('"line":-Infinity'), "not_json"),
    "17 levels": (deep(15), "depth"),
    "10,000 levels": (deep(10_000), "depth"),
    "half of 10,000 levels": (b"[" * 10_000, "depth"),
    "a byte too long": (line('"nom":"' + "x" * (LINE_BYTES - len(line('"nom":""')) + 1) + '"'), "too_long"),
    "no UUID": (line(identity="7"), "id"),
    "UUID version 1": (line(identity=UUID1), "id"),
    "upper case": (line(identity=UUID4.upper()), "id"),
    "no id": (b'{"kind":"person","set":{}}', "shape"),
    "no kind": (b'{"id":"%b","set":{}}' % UUID4.encode(), "shape"),
    "a kind of a number": (b'{"kind":7,"id":"%b"}' % UUID4.encode(), "shape"),
    "a parent to come": (line(more=',"par":{"nom":[999999]}'), "par"),
    "a parent before the first": (line(more=',"par":{"nom":[0]}'), "par"),
    "a parent that is no dot": (line(more=',"par":{"nom":["x:1:1"]}'), "par"),
    "a parent of a great epoch": (line(more=f',"par":{{"nom":["{UUID4}:{2**32}:1"]}}'), "par"),
    "a parent of a text": (line(more=',"par":{"nom":"7"}'), "shape"),
    "a parent of true": (line(more=',"par":{"nom":[true]}'), "shape"),
    "a parent of 1.5": (line(more=',"par":{"nom":[1.5]}'), "shape"),
    "parents of a list": (line(more=',"par":[1]'), "shape"),
    "unknown evidence": (line(more=',"ev":"rumour"'), "shape"),
    "an unknown act": (line(more=',"act":"burn"'), "unknown_act"),
    "an act beyond the role": (line(more=',"act":"resolve"'), "beyond_role"),
    "a kind beyond the role": (b'{"kind":"act","id":"%b","new":true,"set":{}}' % UUID4.encode(), "beyond_role"),
    "an unknown kind": (b'{"kind":"gold","id":"%b","new":true,"set":{}}' % UUID4.encode(), "beyond_role"),
    "fields in a list": (b'{"kind":"person","id":"%b","set":[]}' % UUID4.encode(), "shape"),
    "a field without a name": (line('"":1'), "shape"),
    "nothing": (b"", "not_json"),
    "a list": (b"[]", "shape"),
    "a text": (b'"x"', "shape"),
    "null": (b"null", "shape"),
    "two objects": (b"{}{}", "not_json"),
    "a carriage return alone": (b"\r", "not_json"),
    "binary": (bytes(b for b in range(256) if b != 10), "not_utf8"),
}  # fmt: skip


def test_every_line_that_cannot_be_read_is_set_aside_and_the_families_around_it_count(
    node: TestNode, tablet: Tablet, readers: Readers
) -> None:
    before, operations, places = persons(node), family(), {}
    for name, (poison, _reason) in POISON.items():
        operations_now = len(operations)
        places[str(operations_now + 1)] = name
        operations = [*operations, poison, *family()]  # type: ignore[list-item]
    told = push(node, tablet, *operations)
    assert {places[n]: found["reason"] for n, found in told.items()} == {
        n: reason for n, (_, reason) in POISON.items()
    }
    assert {found["status"] for found in told.values()} == {"quarantined"}
    assert persons(node) == before + len(POISON) + 1
    aside = node.client.get("/v1/quarantine?limit=500", headers=readers["supervisor"]).json()["items"]
    assert len([each for each in aside if each["dev"] == tablet.dev]) == len(POISON)
    read_everything(node, readers, tablet)


def test_a_line_of_exactly_64_kib_and_a_batch_of_5000_operations_are_read(
    node: TestNode, tablet: Tablet
) -> None:
    before = persons(node)
    name = "x" * (LINE_BYTES - len(line('"nom":""')))
    assert push(node, tablet, line(f'"nom":"{name}"', identity=str(uuid.uuid4())), *family()) == {}
    many = [each for _ in range(1666) for each in family()]
    assert (
        push(node, tablet, *many, new("person", {"nom": "Dernier"}), new("person", {"nom": "Dernière"})) == {}
    )
    assert persons(node) >= before + 1 + 1666 + 2


# -- batches ------------------------------------------------------------------------------------------------------


def test_a_batch_too_large_is_refused_before_it_is_kept_and_the_next_one_counts(
    node: TestNode, tablet: Tablet
) -> None:
    before = persons(node)
    clone = tablet.clone()
    for data in (b"x" * BIG, b"\n" * (BATCH_BYTES + 1), line('"nom":"A"') * 20_000):
        assert (
            refused(post(node, data, sign_detached(tablet.key, data, kid=tablet.dev, typ="batch")))
            == "too_large"
        )
    bomb = b" " * 30_000_000
    signature = sign_detached(tablet.key, bomb, kid=tablet.dev, typ="batch")
    packed = {"gzip": gzip.compress(bomb), "zstd": zstd.compress(bomb)}
    for coding, data in packed.items():
        assert refused(post(node, data, signature, **{"Content-Encoding": coding})) == "too_large"
        assert refused(post(node, data[:-5], signature, **{"Content-Encoding": coding})) in {
            "too_large",
            "unreadable_body",
        }
    data, right = tablet.seal(family())
    assert refused(post(node, data, right, **{"Content-Encoding": "gzip"})) == "unreadable_body"
    assert push(node, clone, *family()) == {}
    assert persons(node) == before + 1


def first_lines(tablet: Tablet) -> dict[str, bytes]:
    """First lines that do not describe the batch below them (of one line), or describe it strangely."""
    good = {"v": 1, "dev": tablet.dev, "ep": 7, "from": 1, "to": 1, "prev": None, "by": tablet.agent}

    def but(**values: Any) -> bytes:
        return json.dumps({**good, **{name.rstrip("_"): value for name, value in values.items()}}).encode()

    return {
        "nothing": b"", "no JSON": b"{", "list": b"[]", "deep": b"[" * 10_000, "twice": but()[:-1] + b',"v":1}',
        "version": but(v=2), "text version": but(v="1"), "foreign": but(dev=str(uuid.uuid4())), "no dev": but(dev="x"),
        "epoch": but(ep=2**32), "negative epoch": but(ep=-1), "text epoch": but(ep="7"), "zero": but(from_=0, to=0),
        "back": but(from_=2, to=1), "more": but(to=2), "2^53": but(from_=2**53, to=2**53), "float": but(from_=1.5),
        "true": but(from_=True, to=True), "NUL": but(by="a\x00b"), "surrogate": but(by="\ud800"),
        "long": but(by="x" * 70_000),
        "prev of a number": but(prev=7), "latin-1": but(by="?").replace(b"?", b"\xe9"),
    }  # fmt: skip


def test_a_signed_batch_whose_header_makes_no_sense_is_receipted_and_kept_aside(
    node: TestNode, tablet: Tablet, readers: Readers
) -> None:
    before = persons(node)
    bodies = [head + b"\n" + write_line(family()[1]) + b"\n" for head in first_lines(tablet).values()]
    bodies += [
        b"",
        b"\n",
        b"\x00",
        b"\xff" * 100,
        b"\n" * BATCH_BYTES,
        random.Random(7).randbytes(5000),
        b"{}",
        b"{}\n",
    ]
    for data in bodies:
        answer = post(node, data, sign_detached(tablet.key, data, kid=tablet.dev, typ="batch"))
        assert answer.status_code == 200, (data[:200], answer.text)
        assert answer.json()["dispositions"]["0"]["status"] == "quarantined", data[:200]
    assert push(node, tablet, *family()) == {}
    assert persons(node) == before + 1
    read_everything(node, readers, tablet)


@pytest.mark.parametrize("odd", [
    {"ep": 2**32 - 1}, {"ep": 0}, {"from_": 2**53 - 1, "to": 2**53 - 1}, {"prev": "x" * 60_000}, {"prev": ""},
    {"prev": SQL}, {"by": "x" * 60_000}, {"by": ""}, {"by": None}, {"by": "\u202e"},
], ids=str)  # fmt: skip
def test_a_strange_but_readable_header_is_taken(
    node: TestNode, tablet: Tablet, readers: Readers, odd: dict[str, Any]
) -> None:
    before = persons(node)
    header = replace(Header(1, tablet.dev, 7, 1, 1, None, tablet.agent), **odd)
    data = write_batch(header, [write_line(new("person", {"nom": "A", "household": str(uuid.uuid4())}))])
    answer = post(node, data, sign_detached(tablet.key, data, kid=tablet.dev, typ="batch"))
    assert (answer.status_code, answer.json().get("dispositions")) == (200, {}), answer.text
    assert push(node, node.tablet(COMMUNE), *family()) == {}
    assert persons(node) == before + 2
    read_everything(node, readers, tablet)


def test_a_signature_that_is_none_keeps_nothing(node: TestNode, tablet: Tablet) -> None:
    data, right = tablet.seal(family())
    head, _, tail = right.partition("..")
    wrong: list[str | bytes] = [
        "", "x", "..", f"{head}..", f"..{tail}", f"{head}.x.{tail}", f"{head}..{tail}x", f"{tail}..{head}", right + ".",
        right[:-4], "x" * 10_000, b"\xff..\xff", "bnVsbA..AA", "W10..AA", "e30..AA", "eyJraWQiOjd9..AA",
        sign_detached(tablet.key, data, kid=tablet.dev, typ="receipt"),
        sign_detached(tablet.key, data + b"x", kid=tablet.dev, typ="batch"),
        sign_detached(tablet.key, data, kid=str(uuid.uuid4()), typ="batch"),
        sign_detached(tablet.key, data, kid=SQL, typ="batch"), sign_detached(tablet.key, data, kid="\x00", typ="batch"),
        sign_detached(tablet.key, data, kid="\ud800".encode("utf-8", "surrogatepass").hex(), typ="batch"),
    ]  # fmt: skip
    for signature in wrong:
        for grant in ("", "x", "a.b.c", "x" * 10_000, tablet.grant[:-3]):
            headers: dict[str, str | bytes] = {"Batch-Signature": signature, "Device-Grant": grant}
            answer = node.client.post("/sync/v1/batches", content=data, headers=headers)
            assert refused(answer) in {"bad_signature", "grant_required", "unknown_device"}, signature
    before = persons(node)
    assert post(node, data, right).json()["dispositions"] == {}
    assert persons(node) == before + 1


HEADS = [
    b"", b"{}", b"[]", b"null", b"[" * 10_000, b'{"type":"batch","len":-1}', b'{"type":"batch","len":1e400}',
    b'{"type":"batch","len":99999999999999999999}', b'{"type":7,"len":1}', b'{"type":"batch","len":true}',
    b'{"type":"gold","len":1}', b'{"type":"grant","len":1}', b'{"type":"receipt","len":1}', b"\xff" * 9, b"x" * 100_000,
    b'{"type":"batch","len":1,"signature":7}', b'{"type":"batch","len":1,"signature":"x","grant":"y"}',
    b'{"type":"batch","len":1,"signature":"\\ud800"}',
]  # fmt: skip


def test_a_bundle_that_is_none_is_no_accident(node: TestNode, tablet: Tablet) -> None:
    data, signature = tablet.seal(family())
    for head in HEADS:
        for rest in (b"", b"\n", b"\nx\n", b"\n" + data + b"\n"):
            told_or_done(node.client.post("/sync/v1/bundles", content=head + rest))
    before = persons(node)
    assert post(node, data, signature).json()["dispositions"] == {}
    assert persons(node) == before + 1
