"""The rules of the fold one by one: which value stands, which is shown, and when a person must look."""

from itertools import permutations
from typing import Any

import pytest

from sync import merge
from sync.catalogue import register_of
from sync.merge import Registers, canonical
from sync.protocol import write_line
from tests.sync.histories import (
    DEVS,
    NONE,
    PERSON,
    RING,
    TWO_AT_ONCE,
    Entered,
    entered,
    fold,
    open_cases,
    shown,
)

# From operation to writes -------------------------------------------------------------------------------------------


def test_writing_one_name_writes_them_all() -> None:
    writes = entered("a1", {"prenom": "Aimée"}).writes()
    assert {name: write.value for name, write in writes.items()} == {
        "nom": {"nom": None, "postnom": None, "prenom": "Aimée"}
    }


def test_a_null_counts_only_where_something_was_seen() -> None:
    assert entered("a1", {"phone": None, "nom": None, "prenom": None}).writes() == {}
    first = entered("a1", {"phone": "1", "prenom": "Aimée"})
    emptied = entered("a2", {"phone": None, "prenom": None}, "a1")
    assert emptied.writes()["nom"].value == {"nom": None, "postnom": None, "prenom": None}
    assert shown(first, emptied) == {}
    assert open_cases(first, emptied) == set()


def test_what_was_seen_may_be_named_under_any_field_of_a_compound() -> None:
    first = entered("a1", {"nom": "Mbuyi"})
    line = {"kind": "person", "id": PERSON, "set": {"prenom": "Aimée"}, "par": {"prenom": [1]}}
    second = Entered(DEVS[0], 2, "agent", write_line(line))
    assert shown(first, second) == {"prenom": "Aimée"}
    assert open_cases(first, second) == set()


def test_a_date_is_cut_to_its_precision() -> None:
    assert (
        shown(entered("a1", {"birth_date": "1987-05-03", "birth_precision": "year"}))["birth_date"] == "1987"
    )
    assert (
        shown(entered("a1", {"birth_date": "1987-05-03", "birth_precision": "month"}))["birth_date"]
        == "1987-05"
    )
    assert (
        shown(entered("a1", {"birth_date": "1987-05-03", "birth_precision": "day"}))["birth_date"]
        == "1987-05-03"
    )
    assert (
        shown(entered("a1", {"birth_date": "03/05/1987", "birth_precision": "year"}))["birth_date"]
        == "03/05/1987"
    )
    assert (
        shown(entered("a1", {"birth_date": "1987-05-03", "birth_precision": ["?"]}))["birth_date"]
        == "1987-05-03"
    )


def test_the_person_of_the_line_goes_before_the_person_of_the_header() -> None:
    assert entered("a1", {"phone": "1"}, by="other").writes()["phone"].by == "other"
    assert entered("a1", {"phone": "1"}).writes()["phone"].by == "officer"


def test_an_act_on_the_entity_writes_no_register_and_an_unknown_one_nothing() -> None:
    for act in ("void", "restore", "merge", "unmerge"):
        void = entered("a1", {"phone": "1"}, act=act)
        assert void.writes().keys() == {merge.ENTITY}
        assert merge.first_values(void.operation()) == shown(void) == {}
        assert open_cases(void, entered("a2", {}, act=act)) == set()
    assert entered("a1", {"phone": "1"}, act="unheard_of").writes() == {}
    assert shown(entered("a1", {"phone": "1"}, act="resolve")) == {"phone": "1"}


def test_parents_that_have_not_come_are_named_until_they_come() -> None:
    first, second = entered("a1", {"phone": "1"}), entered("a2", {"phone": "2", "sex": "F"}, "a1")
    assert merge.missing_parents(fold([second])) == {first.dot}
    assert merge.missing_parents(fold([second, first])) == set()
    assert shown(second) == {"phone": "2", "sex": "F"}
    void = entered("b1", {}, act="void", par={"phone": [first.dot], "sex": [second.dot]})
    assert merge.missing_parents(fold([void, first])) == {second.dot}


def test_one_line_sealed_in_two_batches_is_one_write_with_one_author_everywhere() -> None:
    once = entered("a1", {"phone": "1"})
    twice = [{name: write._replace(by=by) for name, write in once.writes().items()} for by in ("x", "y")]
    states = []
    for order in (twice, twice[::-1]):
        registers: Registers = {}
        for writes in order:
            merge.add(registers, writes)
        states.append(merge.pack(registers))
    assert states[0] == states[1]
    assert [row[3] for row in states[0]["phone"]] == ["x"]


# Equality -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Élise", "E\u0301lise"),
        (1, 1.0),
        (0, -0.0),
        (0.5, 5e-1),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}),
        ({"é": 1}, {"e\u0301": 1}),
    ],
)
def test_equal_values_are_equal(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True), (0, False), (None, False), (None, "null"), ("1", 1), ("", None), ([1], 1), ([1, 2], [2, 1]),
        ([], {}), ({"a": None}, {}), ("true", True), ('a","b', ["a", "b"]), ("a", "A"), (0.1, 0.2), ('"', "\\"),
    ],
)  # fmt: skip
def test_different_values_are_different(one: Any, other: Any) -> None:
    assert canonical(one) != canonical(other)


# Which value stands, which is shown, who must look ------------------------------------------------------------------


def test_two_tablets_that_did_not_see_each_other_leave_two_values_and_a_case() -> None:
    assert open_cases(*TWO_AT_ONCE) == {"phone"}
    assert shown(*TWO_AT_ONCE) == {"phone": "2"}


def test_two_tablets_that_wrote_the_same_leave_no_case() -> None:
    assert open_cases(entered("a1", {"nom": "Élise"}), entered("b1", {"nom": "E\u0301lise"})) == set()


def test_who_saw_the_value_replaces_it_whatever_came_first() -> None:
    history = (
        entered("b1", {"phone": "1"}),
        entered("a1", {"phone": "2"}, "b1"),
        entered("a2", {"phone": "3"}, "a1"),
    )
    assert shown(*history) == {"phone": "3"}
    assert open_cases(*history) == set()


def test_better_evidence_is_shown_before_later_work() -> None:
    document = entered("a1", {"nom": "Mbuyi"}, ev="document")
    hearsay = entered("b1", {"nom": "Ilunga"}, ev="estimated")
    declared = entered("c1", {"nom": "Kasa"})
    act = entered("a2", {"nom": "Mbuyi wa Ilunga"}, role="node", ev="act")
    assert shown(hearsay, declared) == {"nom": "Kasa"}
    assert shown(document, hearsay, declared) == {"nom": "Mbuyi"}
    assert shown(document, hearsay, declared, act) == {"nom": "Mbuyi wa Ilunga"}
    assert open_cases(document, hearsay, declared, act) == {"nom"}


def test_the_longer_chain_of_corrections_is_shown_before_the_greater_dot() -> None:
    corrected = entered("a1", {"phone": "1"}), entered("a2", {"phone": "2"}, "a1")
    assert shown(*corrected, entered("c9", {"phone": "9"})) == {"phone": "2"}


def test_among_equals_the_greatest_dot_is_shown_numbers_read_as_numbers() -> None:
    assert shown(entered("a9", {"phone": "9"}), entered("a10", {"phone": "10"})) == {"phone": "10"}
    assert shown(entered("a9", {"phone": "9"}), entered("b1", {"phone": "1"})) == {"phone": "1"}


def test_a_more_exact_date_is_shown_and_is_no_case() -> None:
    year, month = entered("c1", {"birth_date": "1987"}), entered("b1", {"birth_date": "1987-05"})
    day = entered("a1", {"birth_date": "1987-05-03"})
    assert shown(year, month, day) == {"birth_date": "1987-05-03"}
    assert open_cases(year, month, day) == set()


def test_two_exact_dates_in_one_year_are_a_case() -> None:
    year = entered("c1", {"birth_date": "1987"})
    one, other = entered("a1", {"birth_date": "1987-05-03"}), entered("b1", {"birth_date": "1987-06-04"})
    assert open_cases(year, one, other) == {"birth_date"}
    assert shown(year, one, other) == {"birth_date": "1987-06-04"}
    assert open_cases(year, entered("b2", {"birth_date": "1988"})) == {"birth_date"}


def test_text_that_only_begins_alike_is_no_shorter_date() -> None:
    assert open_cases(
        entered("a1", {"birth_date": "1987-05"}), entered("b1", {"birth_date": "1987-05-3"})
    ) == {"birth_date"}
    assert open_cases(entered("a1", {"phone": "1987"}), entered("b1", {"phone": "1987-05"})) == {"phone"}


def test_three_dates_that_beat_each_other_in_a_ring_still_give_one_answer() -> None:
    deep = (
        entered("a1", {"birth_date": "1980"}),
        entered("a2", {"birth_date": "1981"}, "a1"),
        entered("a3", {"birth_date": "1987"}, "a2"),
    )
    middle = entered("b1", {"birth_date": "1989"}), entered("b2", {"birth_date": "1990"}, "b1")
    assert shown(*deep, *middle[1:], entered("c1", {"birth_date": "1987-05"})) == {"birth_date": "1990"}


def test_death_is_shown_first_and_later_life_is_a_case() -> None:
    alive = entered("a1", {"status": "present"}, ev="document")
    dead = entered("b1", {"status": "dead"}, ev="estimated")
    assert shown(alive, dead) == {"status": "dead"}
    assert open_cases(alive, dead) == {"status"}


def test_no_agent_brings_the_dead_back_to_life() -> None:
    dead = entered("a1", {"status": "dead"})
    seen_alive = entered("b1", {"status": "present"}, "a1")
    assert shown(dead, seen_alive) == {"status": "dead"}
    assert open_cases(dead, seen_alive) == {"status"}
    assert shown(dead, entered("b1", {"status": "present"}, "a1", role="clerk")) == {"status": "present"}


def test_no_agent_writes_over_a_registered_act() -> None:
    act = entered("a1", {"sex": "F"}, role="node", ev="act")
    agent = entered("b1", {"sex": "M"}, "a1")
    assert shown(act, agent) == {"sex": "F"}
    assert open_cases(act, agent) == {"sex"}
    assert shown(act, entered("b1", {"sex": "M"}, "a1", role="province", ev="act")) == {"sex": "M"}


def test_an_agent_who_chooses_between_two_names_leaves_the_case_to_a_clerk() -> None:
    two = entered("a1", {"nom": "Mbuyi"}), entered("b1", {"nom": "Ilunga"})
    chosen = entered("c1", {"nom": "Mbuyi"}, "a1", "b1")
    assert shown(*two, chosen) == {"nom": "Mbuyi"}
    assert open_cases(*two, chosen) == {"nom"}
    again = entered("c2", {"nom": "Mbuya"}, "c1")
    assert open_cases(*two, chosen, again) == {"nom"}
    clerk = entered("b2", {"nom": "Mbuyi"}, "c1", role="clerk", act="resolve")
    assert open_cases(*two, chosen, clerk) == set()
    later = entered("c3", {"nom": "Mbuyi"}, "b2")
    assert open_cases(*two, chosen, clerk, later) == set()


def test_a_clerk_who_did_not_see_the_agents_choice_does_not_close_the_case() -> None:
    two = entered("a1", {"nom": "Mbuyi"}), entered("b1", {"nom": "Ilunga"})
    chosen = entered("c1", {"nom": "Mbuyi"}, "a1", "b1")
    clerk = entered("b2", {"nom": "Mbuyi"}, "a1", "b1", role="clerk")
    assert open_cases(*two, chosen, clerk) == {"nom"}


def test_an_agent_who_only_corrects_or_completes_opens_no_case() -> None:
    assert open_cases(entered("a1", {"nom": "Mbuyi"}), entered("a2", {"nom": "Mbuya"}, "a1")) == set()
    same = entered("a1", {"nom": "Mbuyi"}), entered("b1", {"nom": "Mbuyi"})
    assert open_cases(*same, entered("c1", {"nom": "Mbuya"}, "a1", "b1")) == set()
    dates = entered("a1", {"birth_date": "1987"}), entered("b1", {"birth_date": "1987-05"})
    assert open_cases(*dates, entered("c1", {"birth_date": "1987-05-03"}, "a1", "b1")) == set()


def test_a_later_visit_closes_what_no_clerk_need_decide() -> None:
    two = entered("a1", {"phone": "1"}), entered("b1", {"phone": "2"})
    assert open_cases(*two, entered("c1", {"phone": "3"}, "a1", "b1")) == set()


# Forks --------------------------------------------------------------------------------------------------------------


def test_a_cloned_tablet_leaves_both_values_whichever_came_first() -> None:
    one, other = entered("a1", {"phone": "1"}), entered("a1", {"phone": "2"})
    after = entered("b1", {"phone": "3"}, "a1")
    for order in permutations((one, other, after)):
        standing = merge.live(register_of("person", "phone"), fold(order)["phone"], NONE)
        assert {each.value for each in standing} == {"1", "2", "3"}
    assert open_cases(one, other, after) == {"phone"}


def test_a_fork_known_from_another_register_replaces_nothing_here_either() -> None:
    one, after = entered("a1", {"phone": "1"}), entered("b1", {"phone": "3"}, "a1")
    registers = fold([one, after])
    phone = register_of("person", "phone")
    assert [each.value for each in merge.live(phone, registers["phone"], NONE)] == ["3"]
    assert {each.value for each in merge.live(phone, registers["phone"], frozenset({one.dot}))} == {"1", "3"}
    assert merge.show("person", registers, frozenset({one.dot})) == {"phone": "3"}


def test_what_the_two_halves_of_a_fork_had_seen_is_still_replaced() -> None:
    old = entered("b1", {"phone": "0"})
    one, other = entered("a1", {"phone": "1"}, "b1"), entered("a1", {"phone": "2"})
    for order in permutations((old, one, other)):
        standing = merge.live(register_of("person", "phone"), fold(order)["phone"], NONE)
        assert {each.value for each in standing} == {"1", "2"}


def test_forged_writes_that_name_each_other_both_stay() -> None:
    assert open_cases(*RING) == {"phone"}
    decided = entered("c1", {"phone": "9"}, "a1", "b1", role="clerk")
    assert shown(*RING, decided) == {"phone": "9"}
    assert open_cases(*RING, decided) == set()
