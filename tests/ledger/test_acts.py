"""Void, restore, merge and unmerge through the real door: rows, figures, cases, the feed and what waits."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.ledger import state
from tests.nodes import Tablet, TestNode, new

HOME, NEXT = "1017010", "1017021"


def set_(kind: str, identity: str, values: dict[str, Any], **par: list[str]) -> dict[str, Any]:
    return {"kind": kind, "id": identity, "set": values} | ({"par": par} if par else {})


def act(name: str, kind: str, identity: str, par: dict[str, list[str]], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "id": identity, "act": name, "par": par, **more}


def counted(node: TestNode) -> dict[str, int]:
    """How many households and persons the figures hold."""
    found = {"households": 0, "persons": 0}
    for key, count in state.rollups(node)["census_cell"].items():
        if key[-1] in found:
            found[key[-1]] += count
    return found


def row(node: TestNode, kind: str, identity: str) -> dict[str, Any]:
    return state.rows(node, kind)[f"{kind} {identity}"]


@pytest.fixture
def agent(node: TestNode) -> Tablet:
    return node.tablet("CD-KN-017")


@pytest.fixture
def clerk(node: TestNode) -> Tablet:
    return node.tablet("CD-KN-017", role="clerk")


def family(tablet: Tablet, node: TestNode, *, quartier: str = HOME, avenue: str = "Kasaï") -> tuple[str, str]:
    """A household and its one member, each a dot of its own: the tablet's last two."""
    home, member = str(uuid.uuid4()), str(uuid.uuid4())
    node.push(
        tablet,
        new("household", {"quartier": quartier, "avenue": avenue}, identity=home),
        new("person", {"household": home, "nom": "Mbuyi", "sex": "F"}, identity=member),
    )
    return home, member


def seen(tablet: Tablet, n: int, *registers: str) -> dict[str, list[str]]:
    return {name: [tablet.dot(n)] for name in registers}


# -- void ----------------------------------------------------------------------------------------------------------


def test_a_void_hides_the_row_and_its_figures_and_a_restore_brings_both_back(
    node: TestNode, agent: Tablet, clerk: Tablet
) -> None:
    _, member = family(agent, node)
    before = row(node, "person", member)
    receipt = node.push(clerk, act("void", "person", member, seen(agent, 2, "household", "nom", "sex")))
    assert receipt["dispositions"] == {}
    hidden = row(node, "person", member)
    assert hidden["void"] is True
    assert hidden["set"] == before["set"]
    assert counted(node) == {"households": 1, "persons": 0}
    assert state.conflicts(node) == set()
    node.push(clerk, act("restore", "person", member, {"void": [clerk.dot(1)]}))
    back = row(node, "person", member)
    assert "void" not in back
    assert back["set"] == before["set"]
    assert counted(node) == {"households": 1, "persons": 1}


def test_what_the_void_had_not_seen_shows_the_row_again_as_a_case(
    node: TestNode, agent: Tablet, clerk: Tablet
) -> None:
    _, member = family(agent, node)
    node.push(clerk, act("void", "person", member, seen(agent, 2, "household", "nom", "sex")))
    node.push(agent, set_("person", member, {"phone": "1"}))
    found = row(node, "person", member)
    assert found["set"]["phone"] == "1"
    assert [each["value"] for each in found["conflict"]["void"]] == [True]
    assert found["conflict"]["void"][0]["dot"] == clerk.dot(1)
    assert state.conflicts(node) == {("person", member, "void", 1)}
    assert counted(node)["persons"] == 1


def test_an_agents_void_of_anothers_work_is_a_listed_request(
    node: TestNode, agent: Tablet, clerk: Tablet
) -> None:
    _, member = family(agent, node)
    other = node.tablet("CD-KN-017")
    receipt = node.push(other, act("void", "person", member, seen(agent, 2, "household", "nom", "sex")))
    assert receipt["dispositions"] == {"1": {"status": "conflict", "fields": ["void"]}}
    assert counted(node)["persons"] == 1
    assert state.conflicts(node) == {("person", member, "void", 1)}
    node.push(clerk, act("restore", "person", member, {"void": [other.dot(1)]}))
    assert state.conflicts(node) == set()
    node.push(agent, act("void", "person", member, seen(agent, 2, "household", "nom", "sex")))
    assert row(node, "person", member)["void"] is True


def test_a_void_that_comes_before_its_person_waits_and_then_hides_him(
    node: TestNode, agent: Tablet, clerk: Tablet
) -> None:
    home, member = str(uuid.uuid4()), str(uuid.uuid4())
    void = act("void", "person", member, seen(agent, 2, "household", "nom"))
    restore = act("restore", "person", member, {"void": [clerk.dot(2)]})
    receipt = node.push(clerk, restore, start=3)
    assert receipt["dispositions"]["3"]["status"] == "deferred"
    receipt = node.push(clerk, act("void", "person", member, seen(agent, 2, "household", "nom")))
    assert receipt["dispositions"] == {"1": {"status": "deferred", "reason": "entity_not_arrived"}}
    assert counted(node) == {"households": 0, "persons": 0}
    node.push(
        agent,
        new("household", {"quartier": HOME}, identity=home),
        new("person", {"household": home, "nom": "Mbuyi"}, identity=member),
    )
    assert row(node, "person", member)["void"] is True
    assert counted(node) == {"households": 1, "persons": 0}
    node.push(clerk, void)
    assert row(node, "person", member)["void"] is True
    node.push(clerk, act("restore", "person", member, {"void": [clerk.dot(1)]}), start=4)
    assert counted(node) == {"households": 1, "persons": 1}
    assert state.waits(node) == []


# -- merge ---------------------------------------------------------------------------------------------------------


def test_the_same_household_registered_twice_merged_edited_under_the_losing_id_and_unmerged(
    node: TestNode, agent: Tablet, clerk: Tablet
) -> None:
    one, first = family(agent, node)
    other = node.tablet("CD-KN-017")
    two, second = family(other, node, quartier=NEXT, avenue="Kasai")
    assert counted(node) == {"households": 2, "persons": 2}
    own = {each: row(node, "household", each) for each in (one, two)}

    answer = {"quartier": NEXT, "avenue": "Kasaï"}
    par = {"commune": [agent.dot(1), other.dot(1)]}
    node.push(clerk, act("merge", "household", one, par, into=two, set=answer))
    assert counted(node) == {"households": 1, "persons": 2}
    assert row(node, "household", one)["merged_into"] == two
    assert row(node, "household", one)["set"] == {}
    assert row(node, "household", two)["set"] == answer
    assert state.conflicts(node) == set()
    # The members of the one that went follow the one that stayed.
    assert {each["area"] for each in node.changes(agent) if each.get("id") in (one, two, first, second)} == {
        NEXT
    }

    node.push(agent, set_("household", one, {"tenure": "owner"}))
    assert row(node, "household", two)["set"] == answer | {"tenure": "owner"}
    assert counted(node) == {"households": 1, "persons": 2}

    node.push(clerk, act("unmerge", "household", one, {"merge": [clerk.dot(1)]}))
    assert counted(node) == {"households": 2, "persons": 2}
    assert row(node, "household", one)["set"] == own[one]["set"] | {"tenure": "owner"}
    assert row(node, "household", two)["set"] == own[two]["set"]
    areas = {each["id"]: each["area"] for each in node.changes(agent) if "id" in each}
    assert [areas[each] for each in (one, first, two, second)] == [HOME, HOME, NEXT, NEXT]


def test_a_cycle_is_shown_under_the_smallest_id_and_listed_until_one_is_undone(
    node: TestNode, agent: Tablet, clerk: Tablet
) -> None:
    people = sorted(family(agent, node)[1] for _ in range(2))
    low, high = people
    node.push(clerk, act("merge", "person", low, {}, into=high))
    assert row(node, "person", low)["merged_into"] == high
    receipt = node.push(clerk, act("merge", "person", high, {}, into=low))
    assert receipt["dispositions"]["2"] == {"status": "conflict", "fields": ["merged_into"]}
    assert row(node, "person", high)["merged_into"] == low
    values = [each["value"] for each in row(node, "person", low)["conflict"]["merged_into"]]
    assert values == [high, low]
    assert ("person", low, "merged_into", 1) in state.conflicts(node)
    assert counted(node)["persons"] == 1
    node.push(clerk, act("unmerge", "person", low, {"merge": [clerk.dot(1)]}))
    assert row(node, "person", high)["merged_into"] == low
    assert not [case for case in state.conflicts(node) if case[2] == "merged_into"]


@pytest.mark.parametrize("into", [None, "nobody", "itself"])
def test_a_merge_into_nothing_joins_nothing_and_is_listed_until_undone(
    node: TestNode, agent: Tablet, clerk: Tablet, into: str | None
) -> None:
    _, member = family(agent, node)
    given = {} if into is None else {"into": member if into == "itself" else into}
    node.push(clerk, act("merge", "person", member, {}, **given))
    assert state.conflicts(node) == {("person", member, "merged_into", 1)}
    assert counted(node)["persons"] == 1
    node.push(clerk, act("unmerge", "person", str(uuid.uuid4()), {"merge": [clerk.dot(1)]}))
    assert state.conflicts(node) == set()


def test_merges_lower_the_counts_by_exactly_the_merged_whatever_comes_first(
    node: TestNode, agent: Tablet, clerk: Tablet
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(5)]
    made = [new("person", {"nom": "Mbuyi", "sex": "F"}, identity=each) for each in ids]
    node.push(agent, *made[:2])
    merges = [act("merge", "person", each, {}, into=ids[0]) for each in ids[1:4]]
    node.push(clerk, merges[0])
    receipt = node.push(clerk, *merges[1:])
    assert {each["reason"] for each in receipt["dispositions"].values()} == {"entity_not_arrived"}
    assert counted(node)["persons"] == 1
    node.push(agent, *made[2:])
    assert counted(node)["persons"] == 2
    undo = act("unmerge", "person", ids[0], {"merge": [clerk.dot(2), clerk.dot(9)]})
    receipt = node.push(node.tablet("CD-KN-017", role="clerk"), undo)
    assert receipt["dispositions"] == {"1": {"status": "deferred", "reason": "parent_not_arrived"}}
    assert counted(node)["persons"] == 3
    # The merge an unmerge named before it came joins nothing.
    node.push(clerk, act("merge", "person", ids[4], {}, into=ids[0]), start=9)
    assert counted(node)["persons"] == 3
    assert state.waits(node) == []


def test_a_person_merged_away_moves_with_the_household_of_the_one_that_shows_him(
    node: TestNode, agent: Tablet, clerk: Tablet
) -> None:
    home, member = family(agent, node)
    _, other = family(agent, node)
    node.push(clerk, act("merge", "person", other, {"household": [agent.dot(2), agent.dot(4)]}, into=member,
                         set={"household": home}))  # fmt: skip
    node.push(agent, set_("household", home, {"quartier": NEXT}, commune=[agent.dot(1)]))
    areas = {each["id"]: each["area"] for each in node.changes(agent) if "id" in each}
    assert [areas[each] for each in (home, member, other)] == [NEXT] * 3
    assert {each["leave"] for each in node.changes(agent) if "leave" in each} == {home, member, other}


def test_an_act_on_what_servers_make_changes_nothing(node: TestNode, agent: Tablet, clerk: Tablet) -> None:
    with node.database.write() as connection:
        said = {"kind": "device", "id": agent.dev, "act": "void", "par": {}}
        assert node.door.write(connection, [said], by=agent.agent) == {}
    assert node.push(clerk, act("merge", "device", agent.dev, {}, into=clerk.dev))["dispositions"] == {
        "1": {"status": "quarantined", "reason": "beyond_role"}
    }
    family(agent, node)
    assert counted(node) == {"households": 1, "persons": 1}
    assert "void" not in row(node, "device", agent.dev)


def test_a_merge_under_a_forked_dot_is_not_undone(node: TestNode, agent: Tablet, clerk: Tablet) -> None:
    people = [family(agent, node)[1] for _ in range(3)]
    node.push(clerk, act("merge", "person", people[0], {}, into=people[1]))
    node.push(clerk, act("unmerge", "person", people[0], {"merge": [clerk.dot(1)]}))
    assert counted(node)["persons"] == 3
    node.push(clerk, act("merge", "person", people[2], {}, into=people[1]), start=1)
    assert counted(node)["persons"] == 1
    assert row(node, "person", people[0])["merged_into"] == people[1]
