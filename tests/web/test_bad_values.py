"""Values of any type in any field of any kind, names and parents nobody knows: kept, doubtful at worst, never in the
way of a neighbour or a reader."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.catalogue import CATALOGUE
from tests.conftest import FULL, Engines
from tests.lasting import ENGINES
from tests.nodes import Tablet, TestNode, new
from tests.web.bad import SQL, UUID1, UUID4
from tests.web.signed import (
    COMMUNE,
    QUARTIER,
    Readers,
    family,
    log_in_readers,
    open_node,
    own_device,
    persons,
    push,
    read_each,
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


# -- values -------------------------------------------------------------------------------------------------------

VALUES: list[Any] = [
    None, True, False, 0, -1, 7, 2**53 - 1, -(2**53 - 1), 1.5, 1e-300, "", " ", SQL, "x" * 3000, "\x01", "\u2028\u202e",
    "e\u0301", "1987", "2026-02-30", "9999-12-31", "0001-01-01", "24:99", "2026-01-01T99:00:00Z", UUID4, UUID1,
    "CD-KN-099", [], [[]], [None], [UUID4], {}, {"a": None}, [1, {"b": [2, [3]]}],
]  # fmt: skip


def in_batches(operations: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(operations), 600):
        yield operations[start : start + 600]


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_a_value_of_any_type_in_any_field_is_kept_and_shows_as_doubtful_at_worst(
    node: TestNode, readers: Readers, kind: str
) -> None:
    server, looker = own_device(node), node.tablet(COMMUNE)
    before = persons(node)
    fields = [(name, value) for name in CATALOGUE[kind].fields for value in VALUES]
    made = [new(kind, {name: value}) for name, value in fields]
    turned = [*VALUES[1:], VALUES[0]]
    again = [
        {"kind": kind, "id": each["id"], "set": {name: turned[VALUES.index(value)]}}
        | ({"par": {name: [n]}} if n % 3 == 0 else {})
        for n, (each, (name, value)) in enumerate(zip(made, fields, strict=True), 1)
    ]
    for operations in (made, again):
        for some in in_batches(operations):
            told = push(node, server, *some, *family())
            assert (
                not {n for n, found in told.items() if found["status"] == "quarantined"}
                or operations is again
            )
    push(node, looker, *family())
    batches = 2 * len(list(in_batches(made)))
    assert persons(node) == before + batches + 1 + (len(made) if kind == "person" else 0)
    # All of it stays on the node: what one reading finds of all kinds need not be read again after each.
    if FULL or not CATALOGUE[kind].server_made or kind == max(CATALOGUE):
        read_everything(node, readers, looker)
    read_each(node, readers, kind, [each["id"] for each in made[::11]])


def test_names_of_60_kb_and_thousands_of_fields_are_kept(
    node: TestNode, readers: Readers, tablet: Tablet
) -> None:
    before = persons(node)
    chance = random.Random(1)
    # Random letters: an index would squeeze a long run of one letter into its page.
    long = "".join(chance.choice("abcdefghijklmnopqrstuvwxyz0123456789éà") for _ in range(55_000))
    server, other = own_device(node), node.tablet(COMMUNE)
    person, thing = family(), str(uuid.uuid4())
    assert push(node, tablet, *person) == {}
    edits = [{"kind": "person", "id": person[1]["id"], "set": {long: value}} for value in (1, 2, {"a": [3]})]
    assert push(node, tablet, edits[0], *family()) == {}
    assert push(node, other, edits[1], *family())["1"]["status"] == "conflict"
    assert push(node, server, edits[2], *family())["1"]["status"] == "conflict"
    for value, status in ((1, "deferred"), (2, "conflict")):
        gold = {"kind": long, "id": thing, "set": {long[:4000]: value, "nom": SQL}}
        assert push(node, own_device(node), gold, *family())["1"]["status"] == status
    many = {f"champ{i}": i for i in range(3500)}
    odd = [new("person", many), new(SQL, many), new("", {"nom": "A"}), new("\u202e", {})]
    assert push(node, server, *odd, *family()) == {}
    assert persons(node) == before + 1 + 3 + 2 + 1 + 1
    read_everything(node, readers, tablet)
    read_each(node, readers, "person", [person[1]["id"]])


def test_parents_nobody_knows_leave_the_value_and_its_neighbours_standing(
    node: TestNode, readers: Readers, tablet: Tablet
) -> None:
    before, person = persons(node), family()
    push(node, tablet, *person)
    stranger = str(uuid.uuid4())
    pars: list[dict[str, Any]] = [
        {"nom": []}, {"inconnu": [1]}, {"x" * 30_000: [1]}, {"": [1]}, {"nom": [1, 1, 1]}, {"prenom": [1]}, {SQL: [2]},
        {"nom": [f"{stranger}:{2**32 - 1}:{2**53 - 1}"]}, {"nom": [f"{stranger}:0:{n}" for n in range(1, 1000)]},
        {"nom": list(range(1, 3))}, {f"champ{i}": [1] for i in range(2000)}, {"nom": [f"{tablet.dev}:9:99"]},
        {"void": [1]},
    ]  # fmt: skip
    for par in pars:
        edit = {"kind": "person", "id": person[1]["id"], "set": {"nom": "Kanku"}, "par": par}
        told = push(node, tablet, edit, *family())
        assert not {found["status"] for found in told.values()} & {"quarantined", "fork"}, par
    assert persons(node) == before + 1 + len(pars)
    read_everything(node, readers, tablet)
    read_each(node, readers, "person", [person[1]["id"]])


def test_ids_of_other_kinds_and_circles_stay_apart(node: TestNode, readers: Readers, tablet: Tablet) -> None:
    before, home = persons(node), family()
    push(node, tablet, *home)
    household, person, visit = (each["id"] for each in home)
    told = push(
        node, tablet,
        new("person", {"nom": "A", "household": person}, identity=household),
        new("household", {"commune": COMMUNE, "head": visit}, identity=person),
        new("visit", {"household": visit, "members": [visit, household]}, identity=person),
        new("birth", {"person": household, "mother": household, "father": visit}, identity=visit),
        {"kind": "person", "id": person, "set": {"mother": person, "father": household, "household": person}},
        new("person", {"nom": "B"}, identity=person), new("person", {"nom": "C"}, identity=person),
        *family(),
    )  # fmt: skip
    assert not {found["status"] for found in told.values()} & {"quarantined", "fork"}
    assert persons(node) == before + 1 + 1 + 1
    server = own_device(node)
    acts = [
        {"kind": kind, "id": person, "act": act, "into": into, "set": {"nom": "Z"}, "par": {act: [1]}}
        for kind in ("person", "household", "birth", "or") for act in ("void", "restore", "merge", "unmerge", "resolve")
        for into in (person, household, str(uuid.uuid4()), "x" * 1000, None)
    ]  # fmt: skip
    push(node, server, *family(), *acts, *family())
    # Two persons of that circle were merged into one.
    assert persons(node) == before + 3 - 1 + 2
    read_everything(node, readers, tablet)
    read_each(node, readers, "person", [household, person, visit])
    read_each(node, readers, "household", [household, person])


# -- anything at all ----------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=20) | st.sampled_from(["\x00", "2026-02-30", SQL, UUID4, UUID1, COMMUNE, QUARTIER])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["kind", "id", "new", "act", "set", "par", "ev", "by", "at", "into"]) | TEXTS
FIELDS = sorted((kind, name) for kind, known in CATALOGUE.items() for name in known.fields)


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    picks=st.lists(st.tuples(st.sampled_from(FIELDS), ANYTHING), min_size=1, max_size=8),
    more=st.dictionaries(TEXTS, ANYTHING, max_size=2),
    keys=st.dictionaries(KEYS, ANYTHING, max_size=1),
    same=st.booleans(),
)
def test_anything_at_all_in_a_signed_batch_is_receipted_and_its_neighbours_count(
    node: TestNode,
    picks: list[tuple[tuple[str, str], Any]],
    more: dict[str, Any],
    keys: dict[str, Any],
    same: bool,
) -> None:
    before = persons(node)
    identity = str(uuid.uuid4())
    lines = [
        json.dumps({**new(kind, {name: value, **more}, identity=identity if same else None), **keys}).encode()
        for (kind, name), value in picks
    ]
    push(node, own_device(node), *family(), *lines, *family())
    assert persons(node) >= before + 2
