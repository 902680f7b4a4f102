"""Acts on entities, in any order, repetition and grouping: one view of every id, nothing lost, everything undone again.

The views are compared with a naive second telling of the rules for components and for what is hidden.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import entity, merge
from sync.catalogue import register_of
from sync.entity import View
from sync.merge import ENTITY, Registers
from sync.protocol import read_line, write_line
from tests.sync.histories import DEVS, NONE, Entered

IDS = [f"{n}3d6a1f4-8e2b-4f7a-a5d9-1b0c2e4f6a83" for n in range(4)]
FIELDS = ("phone", "occupation", "sex")
Own = dict[str, Registers]


def said(at: str, identity: str, role: str = "clerk", **line: Any) -> Entered:
    """`at` is a letter for the device and a number: "a3"."""
    whole = {"kind": "person", "id": identity, **line}
    return Entered(DEVS["abc".index(at[0])], int(at[1:]), role, write_line(whole))


def fold(history: Sequence[Entered]) -> Own:
    own: Own = {}
    for each in history:
        merge.add(own.setdefault(each.operation().id, {}), each.writes())
    return own


def forked_in(history: Sequence[Entered]) -> frozenset[str]:
    """The dots under which two lines stand, also where one of them wrote nothing: a server knows them all."""
    lines: dict[str, set[bytes]] = {}
    for each in history:
        lines.setdefault(each.dot, set()).add(each.line)
    return frozenset(dot for dot, found in lines.items() if len(found) > 1)


def told(views: Mapping[str, View], undone: frozenset[str] = NONE) -> bytes:
    """Everything a reader can see of these views, as bytes."""
    found = {}
    for identity, view in views.items():
        cases = (
            entity.open_acts("person", identity, registers=view.registers, forked=NONE, undone=undone)
            if view.shown == identity
            else {}
        )
        found[identity] = [
            view.shown,
            view.hidden,
            merge.pack(view.registers),
            merge.pack({name: sorted(writes) for name, writes in cases.items()}),
        ]
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


@st.composite
def stories(draw: st.DrawFn) -> list[Entered]:
    """Up to twelve operations on four ids; merges in rings and into nothing, targets that never come, forked dots."""
    dots = [f"{dev}:7:{n}" for dev in DEVS for n in range(1, 5)]
    found: list[Entered] = []
    for _ in range(draw(st.integers(1, 12))):
        dev, n = draw(st.sampled_from(DEVS)), draw(st.integers(1, 4))
        seen = draw(
            st.lists(
                st.sampled_from([d for d in dots if not d.startswith(dev) or int(d[-1]) < n]), max_size=6
            )
        )
        line: dict[str, Any] = {"kind": "person", "id": draw(st.sampled_from(IDS))}
        kind = draw(
            st.sampled_from(["set", "set", "set", "void", "void", "restore", "merge", "merge", "unmerge"])
        )
        if kind in ("set", "merge"):
            line["set"] = draw(
                st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["1", "2"]), max_size=2)
            )
            line["par"] = dict.fromkeys(line["set"], seen)
        elif kind == "void":
            line["par"] = dict.fromkeys(draw(st.lists(st.sampled_from(FIELDS), min_size=2)), seen)
        else:
            line["par"] = {{"restore": "void", "unmerge": "merge"}[kind]: seen}
        if kind == "merge":
            line["into"] = draw(st.sampled_from([*IDS, "nobody"]))
        if kind != "set":
            line["act"] = kind
        role = (
            "clerk" if kind in ("restore", "merge", "unmerge") else draw(st.sampled_from(["agent", "clerk"]))
        )
        found.append(Entered(dev, n, role, write_line(line)))
    return found


def distinct(history: Sequence[Entered]) -> list[Entered]:
    return list({(each.dot, each.line): each for each in history}.values())


# -- any order ---------------------------------------------------------------------------------------------------


def last_merge_wins(history: Sequence[Entered]) -> bytes:
    """Planted bug: each id points where the merge that came last says."""
    into = {each.operation().id: each.operation().into for each in history if each.operation().into}
    return orjson.dumps(into, option=orjson.OPT_SORT_KEYS)


def test_a_fold_that_keeps_only_the_last_merge_is_seen() -> None:
    two = [said("a1", IDS[0], act="merge", into=IDS[1]), said("b1", IDS[0], act="merge", into=IDS[2])]
    assert last_merge_wins(two) != last_merge_wins(two[::-1])
    assert told(entity.view("person", fold(two), forked=NONE)) == told(
        entity.view("person", fold(two[::-1]), forked=NONE)
    )


@given(stories(), st.data())
@settings(max_examples=60, deadline=None)
def test_any_order_and_any_repetition_give_the_same_views(
    history: list[Entered], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history), max_size=4))))
    views = [entity.view("person", fold(each), forked=NONE) for each in (history, order)]
    assert told(views[0]) == told(views[1])


@given(stories(), st.data())
@settings(max_examples=50, deadline=None)
def test_any_grouping_into_stored_rows_gives_the_same_views_and_loses_no_write(
    history: list[Entered], data: st.DataObject
) -> None:
    """Rows as a server keeps them: the union at the shown id, own writes elsewhere, taken apart at the next batch."""
    rows: dict[str, bytes] = {}
    order = data.draw(st.permutations(history))
    cut = data.draw(st.integers(0, len(order)))
    for portion in (order[:cut], order[cut:]):
        own = {each: entity.own_writes(merge.unpack(orjson.loads(row))) for each, row in rows.items()}
        for each in portion:
            merge.add(own.setdefault(each.operation().id, {}), each.writes())
        views = entity.view("person", own, forked=NONE)
        rows = {each: orjson.dumps(merge.pack(view.registers)) for each, view in views.items()}
    whole = entity.view("person", fold(history), forked=NONE)
    assert {each: orjson.loads(row) for each, row in rows.items()} == {
        each: orjson.loads(orjson.dumps(merge.pack(view.registers))) for each, view in whole.items()
    }
    written = {
        (each.operation().id, name, each.dot, write.line)
        for each in history
        for name, write in each.writes().items()
    }
    kept = {
        (each, name, write.dot, write.line)
        for each, row in rows.items()
        for name, writes in entity.own_writes(merge.unpack(orjson.loads(row))).items()
        for write in writes
    }
    assert kept == written


# -- against a second telling --------------------------------------------------------------------------------------


def naive_edges(history: Sequence[Entered]) -> list[tuple[str, str]]:
    lines: dict[str, set[bytes]] = {}
    for each in history:
        lines.setdefault(each.dot, set()).add(each.line)
    undone = {
        dot
        for each in history
        if each.operation().act == "unmerge"
        for dot in each.operation().par.get("merge", [])
    }
    return [
        (op.id, op.into)
        for each in distinct(history)
        if (op := each.operation()).act == "merge"
        and op.into in IDS
        and op.into != op.id
        and not (each.dot in undone and len(lines[each.dot]) == 1)
    ]


def naive_shown(edges: Sequence[tuple[str, str]], identity: str) -> tuple[str, set[str]]:
    ids = {identity}
    for _ in IDS:
        ids |= {each for edge in edges if ids & set(edge) for each in edge}
    tops = sorted(ids - {loser for loser, _ in edges})
    return (tops[0] if len(tops) == 1 else min(ids)), ids


@given(stories())
@settings(max_examples=60, deadline=None)
def test_every_id_is_shown_where_the_rules_say_and_counted_once(history: list[Entered]) -> None:
    views = entity.view("person", fold(history), forked=forked_in(history))
    edges = naive_edges(history)
    for identity, view in views.items():
        assert view.shown == naive_shown(edges, identity)[0]
    groups = {frozenset(naive_shown(edges, each)[1]) for each in views}
    assert len({view.shown for view in views.values()}) == len(groups)
    merged = sum(len(group) - 1 for group in groups)
    assert sum(view.shown == each for each, view in views.items()) == len(views) - merged


@given(stories())
@settings(max_examples=60, deadline=None)
def test_hidden_is_what_has_no_live_value_a_standing_void_leaves_out(history: list[Entered]) -> None:
    own = fold(history)
    forked = forked_in(history)
    for identity, view in entity.view("person", own, forked=forked).items():
        if view.shown != identity:
            continue
        restored = entity.named(view.registers, "restore", key="void") - forked
        voids = [each for each in entity.acts(view.registers, "void") if each.dot not in restored]
        left = [
            write
            for name, writes in view.registers.items()
            if name != ENTITY
            for write in merge.live(register_of("person", name), writes, forked)
            if write.dot in forked
            or not any(
                write.dot in void.value["par"].get(name, ())
                and (void.role == "clerk" or void.dot[:36] == write.dot[:36])
                for void in voids
            )
        ]
        assert view.hidden == (bool(voids) and not left)
        cases = entity.open_acts("person", identity, registers=view.registers, forked=forked, undone=NONE)
        assert ("void" in cases) == (bool(voids) and bool(left))


@given(stories())
@settings(max_examples=50, deadline=None)
def test_with_every_merge_undone_each_id_is_what_it_is_alone(history: list[Entered]) -> None:
    without = fold([each for each in history if each.operation().act != "merge"])
    own = fold(history)
    undone = {each.dot for each in history if each.operation().act == "merge"}
    if undone & entity.forked_in(own.values()):
        return
    views = entity.view("person", own, forked=NONE, undone=undone)
    for identity, view in views.items():
        alone = without.get(identity, {})
        assert view.shown == identity
        assert merge.show("person", view.registers, NONE) == merge.show("person", alone, NONE)
        assert view.hidden == entity.is_hidden("person", alone, forked=entity.forked_in(own.values()))


# -- one by one ----------------------------------------------------------------------------------------------------


def test_a_merge_writes_with_the_rules_of_a_set() -> None:
    values = {"birth_date": "1987-05-03", "birth_precision": "year", "phone": None}
    value = said("a1", IDS[0], act="merge", into=IDS[1], set=values).writes()[ENTITY].value
    assert value["set"] == {
        "birth_date": {"birth_date": "1987", "birth_precision": "year", "birth_words": None}
    }


def test_values_tell_under_which_id_they_were_written() -> None:
    history = [
        said("a1", IDS[0], set={"phone": "1"}),
        said("b1", IDS[1], set={"sex": "F"}),
        said("c1", IDS[0], act="merge", into=IDS[1], set={"occupation": "vendeuse"}),
    ]
    registers = entity.view("person", fold(history), forked=NONE)[IDS[1]].registers
    assert {name: [each.under for each in writes] for name, writes in registers.items()} == {
        "phone": [IDS[0]],
        "sex": [None],
        "occupation": [IDS[0]],
        ENTITY: [IDS[0]],
    }
    assert merge.unpack(merge.pack(registers)) == registers


def test_an_unmerge_kept_outside_of_the_entity_counts_too() -> None:
    history = [said("a1", IDS[0], act="merge", into="nobody"), said("b1", IDS[0], act="merge", into=IDS[1])]
    undone = frozenset(each.dot for each in history)
    views = entity.view("person", fold(history), forked=NONE, undone=undone)
    assert views[IDS[0]].shown == IDS[0]
    registers = views[IDS[0]].registers
    assert entity.open_acts("person", IDS[0], registers=registers, forked=NONE, undone=undone) == {}
    assert entity.open_acts("person", IDS[0], registers=registers, forked=undone, undone=undone).keys() == {
        "merged_into"
    }


@pytest.mark.parametrize("kind", ["device", "task", "act"])
def test_acts_on_what_servers_make_hide_and_join_nothing(kind: str) -> None:
    lines: list[dict[str, Any]] = [
        {"kind": kind, "id": IDS[0], "act": "void", "par": {}},
        {"kind": kind, "id": IDS[0], "act": "merge", "into": IDS[1]},
    ]
    own: Own = {}
    for n, line in enumerate([write_line(each) for each in lines], 1):
        digest = hashlib.sha256(line).hexdigest()
        dot = f"{DEVS[0]}:7:{n}"
        said_here = merge.writes_of(
            read_line(line, n), dot=dot, dev=DEVS[0], ep=7, by=None, role="node", line=digest
        )
        merge.add(own.setdefault(IDS[0], {}), said_here)
    assert entity.view(kind, own, forked=NONE) == {IDS[0]: View(IDS[0], own[IDS[0]], hidden=False)}
    assert entity.open_acts(kind, IDS[0], registers=own[IDS[0]], forked=NONE, undone=NONE) == {}
