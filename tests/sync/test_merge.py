"""The fold: whatever the order, the grouping and the repetition, one state; and nothing overwritten in silence.

The two checkers are tried on planted bugs first: a checker that lets last-writer-wins pass proves nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync import merge
from sync.catalogue import register_of
from sync.merge import Registers, Write, canonical
from sync.protocol import EVIDENCE, Operation, read_line, write_line

PERSON = "c3d6a1f4-8e2b-4f7a-a5d9-1b0c2e4f6a83"
DEVS = (
    "0b54e8a0-6f3c-4d2a-9c1e-2f0d4a6b8c10",
    "7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745",
    "a1e7f902-3c4d-4b5e-9f60-718293a4b5c6",
)
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entered:
    """One operation as it arrives at a node: who, under which grant, with which bytes."""

    dev: str
    n: int
    role: str
    line: bytes

    @property
    def dot(self) -> str:
        return f"{self.dev}:7:{self.n}"

    def operation(self) -> Operation:
        return read_line(self.line, 1 << 20, dev=self.dev, ep=7)

    def writes(self) -> dict[str, Write]:
        digest = hashlib.sha256(self.line).hexdigest()
        return merge.writes_of(
            self.operation(), dot=self.dot, dev=self.dev, ep=7, by="officer", role=self.role, line=digest
        )


def entered(at: str, values: dict[str, Any], *seen: str, role: str = "agent", **more: Any) -> Entered:
    """`at` is a letter for the device and a number: "a3"; `seen` are such places, seen in every register written."""
    dots = [f"{DEVS['abc'.index(each[0])]}:7:{each[1:]}" for each in seen]
    registers = {register_of("person", name).name for name in values}
    line = {
        "kind": "person",
        "id": PERSON,
        "set": values,
        "par": {name: dots for name in registers if dots},
        **more,
    }
    return Entered(DEVS["abc".index(at[0])], int(at[1:]), role, write_line(line))


def fold(history: Iterable[Entered]) -> Registers:
    registers: Registers = {}
    for each in history:
        merge.add(registers, each.writes())
    return registers


def shown(*history: Entered) -> dict[str, Any]:
    """What is shown, the same for every order of arrival."""
    views = [merge.show("person", fold(order), NONE) for order in permutations(history)]
    assert all(view == views[0] for view in views)
    return views[0]


def open_cases(*history: Entered) -> set[str]:
    """The registers a person must look at, the same for every order of arrival."""
    views = [
        {
            name
            for name, writes in fold(order).items()
            if merge.in_conflict(register_of("person", name), writes, NONE)
        }
        for order in permutations(history)
    ]
    assert all(view == views[0] for view in views)
    return views[0]


# Histories ----------------------------------------------------------------------------------------------------------

VALUES: dict[str, list[Any]] = {
    "nom": ["Mbuyi", "Ilunga", None],
    "prenom": ["Élise", "E\u0301lise", None],
    "sex": ["M", "F", None],
    "birth_date": ["1987", "1987-05", "1987-05-03", "1990", None],
    "birth_precision": ["day", "year"],
    "phone": ["1", 1, 1.0, True, None],
    "status": ["present", "dead", "moved"],
    "blood_group": [["A"], {"a": 1, "b": 2}, {"b": 2, "a": 1}],
}
ALL_DOTS = [f"{dev}:7:{n}" for dev in DEVS for n in range(1, 5)]


@st.composite
def histories(draw: st.DrawFn) -> list[Entered]:
    """Up to ten operations of three devices; some dots twice (forks), some parents later, missing or in a ring."""
    found: list[Entered] = []
    for _ in range(draw(st.integers(1, 10))):
        fields = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True))
        values = {name: draw(st.sampled_from(VALUES[name])) for name in fields}
        dev, n = draw(st.sampled_from(DEVS)), draw(st.integers(1, 4))
        others = [dot for dot in ALL_DOTS if not dot.startswith(dev) or int(dot[-1]) < n]
        par = draw(
            st.dictionaries(
                st.sampled_from(fields), st.lists(st.sampled_from(others), max_size=3), max_size=3
            )
        )
        whole = {
            "kind": "person",
            "id": PERSON,
            "set": values,
            "par": par,
            "ev": draw(st.sampled_from(EVIDENCE)),
        }
        found.append(Entered(dev, n, draw(st.sampled_from(["agent", "clerk", "node"])), write_line(whole)))
    return found


# The checkers -------------------------------------------------------------------------------------------------------

Fold = Callable[[Sequence[Entered]], tuple[bytes, set[tuple[str, str]]]]


def our_fold(history: Sequence[Entered]) -> tuple[bytes, set[tuple[str, str]]]:
    """State as bytes (registers, shown values, cases) and the (register, dot) of every value still standing."""
    registers = fold(history)
    cases = {
        name: merge.in_conflict(register_of("person", name), writes, NONE)
        for name, writes in registers.items()
    }
    state = [merge.pack(registers), merge.show("person", registers, NONE), cases]
    standing = {
        (name, each.dot)
        for name, writes in registers.items()
        for each in merge.live(register_of("person", name), writes, NONE)
    }
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS), standing


def last_arrival_wins(history: Sequence[Entered]) -> tuple[bytes, set[tuple[str, str]]]:
    """Planted bug: what comes last overwrites."""
    last = {name: write for each in history for name, write in each.writes().items()}
    state = {name: write.value for name, write in last.items()}
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS), {
        (name, write.dot) for name, write in last.items()
    }


def greatest_dot_wins(history: Sequence[Entered]) -> tuple[bytes, set[tuple[str, str]]]:
    """Planted bug: it converges, and forgets the value of whoever has the smaller number."""
    return last_arrival_wins(sorted(history, key=lambda each: (each.dev, each.n, each.line)))


def check_convergence(fold_of: Fold, history: Sequence[Entered], order: Sequence[Entered]) -> None:
    """Invariants 2 and 3: the same operations, in another order and some of them twice, give the same state."""
    assert fold_of(order)[0] == fold_of(history)[0], "two orders, two states"


def check_no_silent_overwrite(fold_of: Fold, history: Sequence[Entered]) -> None:
    """Invariants 1 and 7: a value that nobody names in a `par` still stands."""
    written = {(name, write.dot) for each in history for name, write in each.writes().items()}
    named = {(name, dot) for each in history for name, write in each.writes().items() for dot in write.par}
    assert written - named <= fold_of(history)[1], "a value vanished that nobody had seen"


TWO_AT_ONCE = [entered("a1", {"phone": "1"}), entered("b1", {"phone": "2"})]


def test_the_checkers_catch_last_writer_wins() -> None:
    with pytest.raises(AssertionError, match="two orders"):
        check_convergence(last_arrival_wins, TWO_AT_ONCE, TWO_AT_ONCE[::-1])
    with pytest.raises(AssertionError, match="vanished"):
        check_no_silent_overwrite(last_arrival_wins, TWO_AT_ONCE)
    check_convergence(greatest_dot_wins, TWO_AT_ONCE, TWO_AT_ONCE[::-1])
    with pytest.raises(AssertionError, match="vanished"):
        check_no_silent_overwrite(greatest_dot_wins, TWO_AT_ONCE)


RING = [
    Entered(
        DEVS[at], 1, "clerk", entered("a1", {"phone": str(at)}, "b1" if at == 0 else "a1", role="clerk").line
    )
    for at in (0, 1)
]


@given(histories(), st.data())
@settings(max_examples=120, deadline=None)
def test_any_order_and_any_repetition_give_the_same_registers_values_and_cases(
    history: list[Entered], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history), max_size=4))))
    check_convergence(our_fold, history, order)


@given(histories(), st.data())
@settings(max_examples=60, deadline=None)
def test_any_grouping_into_stored_batches_gives_the_same_registers(
    history: list[Entered], data: st.DataObject
) -> None:
    stored: bytes = orjson.dumps(merge.pack({}))
    for each in data.draw(st.permutations(history)):
        registers = merge.unpack(orjson.loads(stored))
        merge.add(registers, each.writes())
        stored = orjson.dumps(merge.pack(registers))
    assert stored == orjson.dumps(merge.pack(fold(history)))


@given(histories())
@settings(max_examples=120, deadline=None)
@example(RING)
def test_no_value_vanishes_that_nobody_had_seen(history: list[Entered]) -> None:
    check_no_silent_overwrite(our_fold, history)


@given(histories())
@settings(max_examples=60, deadline=None)
@example(RING)
def test_a_register_that_was_written_always_shows_one_of_its_standing_values(history: list[Entered]) -> None:
    for name, writes in fold(history).items():
        register = register_of("person", name)
        assert merge.provisional(register, writes, NONE) in merge.live(register, writes, NONE)


@given(histories())
@settings(max_examples=60, deadline=None)
def test_adding_again_changes_nothing_and_says_so(history: list[Entered]) -> None:
    registers = fold(history)
    before = merge.pack(registers)
    for each in history:
        assert merge.add(registers, each.writes()) == set()
    assert merge.pack(registers) == before


@given(histories())
@settings(max_examples=60, deadline=None)
def test_the_short_cut_for_new_entities_shows_what_the_fold_shows(history: list[Entered]) -> None:
    for each in history:
        assert merge.first_values(each.operation()) == merge.show("person", fold([each]), NONE)


@given(histories(), st.permutations(range(3)))
@settings(max_examples=60, deadline=None)
def test_a_device_clock_changes_nothing_that_is_shown(history: list[Entered], years: list[int]) -> None:
    clocks = ("1970-01-01T00:00:00Z", "2046-11-22T09:14:03+01:00", "2026-11-22T21:14:03+12:00")
    shifted = [
        Entered(
            each.dev, each.n, each.role, write_line({**orjson.loads(each.line), "at": clocks[years[at % 3]]})
        )
        for at, each in enumerate(history)
    ]
    # Two lines under one dot are ordered by their bytes, which a clock changes: forks are left to the other tests.
    if len({each.dot for each in history}) == len(history):
        assert merge.show("person", fold(shifted), NONE) == merge.show("person", fold(history), NONE)


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


def test_acts_that_are_not_folded_write_nothing() -> None:
    for act in ("void", "restore", "merge", "unmerge", "unheard_of"):
        void = entered("a1", {"phone": "1"}, act=act)
        assert void.writes() == {}
        assert merge.first_values(void.operation()) == {}
    assert shown(entered("a1", {"phone": "1"}, act="resolve")) == {"phone": "1"}


def test_parents_that_have_not_come_are_named_until_they_come() -> None:
    first, second = entered("a1", {"phone": "1"}), entered("a2", {"phone": "2", "sex": "F"}, "a1")
    assert merge.missing_parents(fold([second])) == {first.dot}
    assert merge.missing_parents(fold([second, first])) == set()
    assert shown(second) == {"phone": "2", "sex": "F"}


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
