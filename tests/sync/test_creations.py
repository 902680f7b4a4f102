"""Reading whole batches of creations: it takes only what the ordinary reading takes, and finds the same values."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import merge
from sync.catalogue import CATALOGUE, are_uuid4, is_doubtful, is_uuid4
from sync.creations import CreationReader
from sync.protocol import Unreadable, read_line
from tests.sync.test_vectors import VECTORS, the_line

ID = "7b0c5a52-8d0e-4c63-9a3b-0a2f5d1c9e44"
OTHER = "c3d6a1f4-8e2b-4f7a-a5d9-1b0c2e4f6a83"
CODES = {
    "country": frozenset({"CD", "AO"}),
    "commune": frozenset({"CD-KN-017"}),
    "quartier": frozenset({"1017010"}),
}
KINDS = {kind: tuple(CATALOGUE[kind].fields) for kind in ("household", "person", "visit", "birth")}
READER = CreationReader(KINDS, CODES)
FULL = b'{"kind":"person","id":"%s","new":true,"set":{"nom":"Mbuyi","birth_date":"1990-05"}}' % ID.encode()


def agrees(raw: bytes) -> bool:
    """Whether the line is taken; when it is, the ordinary reading must find the same in it."""
    found = READER.read([raw])[0]
    if found is None:
        return False
    operation = read_line(raw, 5)
    values = {name: each for name in KINDS[operation.kind] if (each := found.set.get(name)) is not None}
    assert (type(found).__name__, found.id) == (operation.kind, operation.id)
    assert operation.new
    assert (operation.act, operation.ev, operation.par) == ("set", "declared", {})
    assert values == merge.first_values(operation)
    assert not any(is_doubtful(operation.kind, name, value, CODES) for name, value in values.items())
    return True


def person(**more: Any) -> bytes:
    return orjson.dumps({"kind": "person", "id": ID, "new": True, "set": {"nom": "Mbuyi"}} | more)


def test_an_ordinary_line_is_taken() -> None:
    assert agrees(FULL)
    assert agrees(person(by=OTHER, at="2026-11-22T09:14:03+01:00", set={"prenom": ":Éèê", "line": 3}))
    assert agrees(person(set={"nom": None, "postnom": "d'\"Or"}))
    assert agrees(person(set={"birth_date": "1990-05-03", "birth_precision": "year"}))
    assert agrees(
        orjson.dumps({"kind": "visit", "id": ID, "new": True, "set": {"members": [OTHER], "lat": 5}})
    )


@pytest.mark.parametrize(
    "raw",
    [
        FULL.replace(b'"nom":"Mbuyi"', b'"nom":"Mbuyi","nom":"Ilunga"'),
        FULL.replace(b'"nom":"Mbuyi"', b'"nom":"Mbuyi","nom" :"Ilunga"'),
        FULL.replace(b'"new":true', b'"new":true,"new":true'),
        FULL.replace(b'"new":true', b'"new":true,"new":true').replace(b',"set":{"nom":"Mbuyi"}', b""),
        FULL.replace(b'"id"', b'"i\\u0064":"x","id"'),
        FULL.replace(b"Mbuyi", b"Mb\\u0000"),
        FULL.replace(b"Mbuyi", b"Mb\\ud800"),
        FULL.replace(b"Mbuyi", b"Mb\xed\xa0\x80"),
        FULL.replace(b"Mbuyi", b"Mb\x00"),
        FULL.replace(b"1990-05", b"1990-13"),
        FULL.replace(b"nom", b"surnom"),
        FULL + b" " * (64 << 10),
        person(new=False),
        person(act="void"),
        person(ev="act"),
        person(par={"nom": [1]}),
        person(id=ID.upper()),
        person(id=OTHER.replace("4f7a", "1f7a")),
        person(set={"sex": "X"}),
        person(set={"household": "x"}),
        person(set={"line": 2**53}),
        person(kind="act"),
        b"null",
        b"",
        FULL + FULL,
    ],
)
def test_anything_else_is_left_to_the_ordinary_reading(raw: bytes) -> None:
    assert not agrees(raw)


def test_lines_are_judged_one_by_one() -> None:
    second = FULL.replace(ID.encode(), OTHER.encode())
    assert [each is not None for each in READER.read([FULL, second])] == [True, True]
    assert [each is not None for each in READER.read([FULL, b"{}", second])] == [True, False, True]
    assert READER.read([FULL, FULL]) == [None, None]
    half = FULL.index(b"set")
    assert READER.read([FULL[:half], FULL[half:]]) == [None, None]


@pytest.mark.parametrize("name", ["lines_good.json", "lines_bad.json"])
def test_no_vector_is_read_otherwise(name: str) -> None:
    for case in json.loads((VECTORS / name).read_text(encoding="utf-8"))["cases"]:
        agrees(the_line(case))


TEXT = st.one_of(
    st.text(max_size=6), st.sampled_from(["F", "day", "year", "1990", "1990-05-03", ID, "a:", '":'])
)
VALUES = st.one_of(TEXT, st.none(), st.booleans(), st.integers(), st.floats(), st.lists(TEXT, max_size=2))


@given(
    st.sampled_from(sorted(KINDS)),
    st.dictionaries(st.integers(0, 60), VALUES, max_size=6),
    st.sampled_from(["{}", '"new":true', '"set"', '":', ",", " ", "\\"]),
    st.sampled_from(["", " ", "\\u0041", '"new":true,', "}", "\t"]),
)
def test_it_agrees_with_the_ordinary_reading_on_lines_spelt_anyhow(
    kind: str, picks: dict[int, Any], old: str, new: str
) -> None:
    values = {KINDS[kind][at % len(KINDS[kind])]: value for at, value in picks.items()}
    text = json.dumps({"kind": kind, "id": ID, "new": True, "set": values}, separators=(",", ":"))
    for raw in (text, text.replace(old, new, 1), text.replace(old, old + new, 1)):
        agrees(raw.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=80))
def test_no_bytes_whatever_are_read_otherwise(noise: bytes) -> None:
    agrees(FULL[:40] + noise + FULL[40:])
    try:
        read_line(noise, 1)
    except Unreadable:
        assert READER.read([noise]) == [None]


@given(
    st.lists(
        st.one_of(st.uuids(version=4).map(str), st.text("0123456789abcdef-\nhé", max_size=40)), max_size=4
    )
)
def test_many_identifiers_are_judged_like_each(texts: list[str]) -> None:
    assert are_uuid4(texts) == all(map(is_uuid4, texts))
