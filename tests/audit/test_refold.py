"""Two folds written apart say the same about whatever agents, clerks, clones and forgers can sign."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from app.audit import refold
from app.audit.refold import Told
from app.audit.shapes import TABLES
from sync import ledger, merge
from sync.catalogue import CATALOGUE, register_of
from sync.protocol import Operation, read_line

PERSON = "7b0c1111-2222-4333-8444-555566667777"
DEVICES = ("a0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002")
ROLES = ("agent", "clerk", "node", "province")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "nom": st.sampled_from(["Mbuyi", "Élise", "E\u0301lise", None]),
    "prenom": st.sampled_from(["Jean", None]),
    "birth_date": st.sampled_from(["1987", "1987-05", "1987-05-03", "1988", "vers 1987", None]),
    "birth_precision": st.sampled_from(["year", "month", "day", "?", 3, None]),
    "status": st.sampled_from(["present", "dead", "moved", None]),
    "sex": st.sampled_from(["M", "F"]),
    "phone": st.sampled_from(["1", "2", 1, 1.0, True, None]),
    "hobby": st.sampled_from([["a"], {"b": 1.0, "a": 2}, {"a": 2.0, "b": 1}, None]),
}
DOTS = [f"{dev}:1:{n}" for dev in DEVICES for n in range(1, 5)]
OPERATIONS = st.fixed_dictionaries(
    {
        "kind": st.just("person"),
        "id": st.just(PERSON),
        "set": st.fixed_dictionaries({}, optional=VALUES),
    },
    optional={
        "new": st.booleans(),
        "act": st.sampled_from(["set", "resolve", "set", "void"]),
        "par": st.dictionaries(
            st.sampled_from([*VALUES, "birth_words"]), st.lists(st.sampled_from(DOTS), max_size=3), max_size=3
        ),
        "ev": st.sampled_from(["act", "document", "declared", "estimated"]),
        "by": st.sampled_from(["x", "y"]),
    },
)
SIGNED = st.tuples(st.sampled_from(DEVICES), st.integers(1, 4), st.sampled_from(ROLES), OPERATIONS)


def told(batch: int, signed: tuple[str, int, str, dict[str, Any]]) -> Told:
    dev, n, role, operation = signed
    raw = orjson.dumps(operation)
    # Numbered 9 to be read, so that rings of forged dots are readable too.
    return Told(batch, 1, dev, 1, n, role, "header", raw, read_line(raw, 9, dev=dev, ep=1))


def folded(tolds: list[Told]) -> merge.Registers:
    registers: merge.Registers = {}
    for each in tolds:
        line = hashlib.sha256(each.raw).hexdigest()
        writes = merge.writes_of(
            each.operation, dot=each.dot, dev=each.dev, ep=1, by=each.by, role=each.role, line=line
        )
        merge.add(registers, writes)
    return registers


@settings(max_examples=400, deadline=None)
@given(st.lists(SIGNED, max_size=6))
def test_both_folds_agree_on_writes_values_and_conflicts(
    signed: list[tuple[str, int, str, dict[str, Any]]],
) -> None:
    tolds = [told(at, each) for at, each in enumerate(signed) if each[3].get("act") != "void"]
    lines: dict[str, set[bytes]] = {}
    for each in tolds:
        lines.setdefault(each.dot, set()).add(each.raw)
    forked = frozenset(dot for dot, found in lines.items() if len(found) > 1)
    registers, own = folded(tolds), refold.gather(tolds)
    assert refold.packed(own) == orjson.dumps(merge.pack(registers)).decode()
    assert refold.shown("person", own, forked=forked) == merge.show("person", registers, forked)
    cases = {
        name
        for name, writes in registers.items()
        if merge.in_conflict(register_of("person", name), writes, forked)
    }
    assert set(refold.open_registers("person", own, forked=forked)) == cases


@settings(max_examples=100, deadline=None)
@given(SIGNED)
def test_one_operation_shows_what_its_own_fold_shows(signed: tuple[str, int, str, dict[str, Any]]) -> None:
    one = told(0, signed)
    values = refold.fields_of("person", refold.written(one.operation))
    if one.operation.act != "void":
        assert values == merge.first_values(one.operation)


@given(
    st.sampled_from([*ROLES, "planner"]),
    st.sampled_from([*CATALOGUE, "horoscope"]),
    st.sampled_from(["set", "void", "restore", "merge", "unmerge", "resolve", "explode"]),
    st.booleans(),
)
def test_both_know_who_may_write_what(role: str, kind: str, act: str, new: bool) -> None:
    operation = Operation(kind=kind, id=PERSON, act=act, new=new)
    assert refold.refused(operation, role) == ledger.refusal(operation, role=role)


def test_every_kind_of_the_catalogue_is_audited_in_its_own_table() -> None:
    assert set(TABLES) == set(CATALOGUE)
