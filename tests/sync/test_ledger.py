"""Who may write what, and which operation numbers a node holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.catalogue import CATALOGUE
from sync.ledger import Ranges, refusal
from sync.protocol import ACTS, Operation

PERSON = "c3d6a1f4-8e2b-4f7a-a5d9-1b0c2e4f6a83"
CITIZEN_KINDS = ("household", "person", "visit", "birth")
SERVER_KINDS = (
    *("device", "link", "task", "clock", "question", "office", "book", "volet", "provisional", "draft"),
    *("procedure", "campaign", "annulment", "pairing"),
)
FINAL_KINDS = {"act", "annotation", "document", "delivery"}
DESK_ACTS = ("restore", "merge", "unmerge", "resolve")


def operation(kind: str, act: str = "set", new: bool = False) -> Operation:
    return Operation(kind=kind, id=PERSON, act=act, new=new)


@pytest.mark.parametrize("kind", CITIZEN_KINDS)
def test_an_agent_enters_and_voids_citizens_but_settles_nothing(kind: str) -> None:
    assert refusal(operation(kind), role="agent") is None
    assert refusal(operation(kind, "void"), role="agent") is None
    assert {refusal(operation(kind, act), role="agent") for act in DESK_ACTS} == {"beyond_role"}


@pytest.mark.parametrize("kind", CITIZEN_KINDS)
@pytest.mark.parametrize("role", ["clerk", "node", "province"])
def test_a_clerk_and_the_servers_settle_cases(kind: str, role: str) -> None:
    assert {refusal(operation(kind, act), role=role) for act in ACTS} == {None}


@pytest.mark.parametrize("kind", SERVER_KINDS)
def test_only_servers_write_what_servers_make(kind: str) -> None:
    assert {role: refusal(operation(kind), role=role) for role in ("agent", "clerk", "node", "province")} == {
        "agent": "beyond_role",
        "clerk": "beyond_role",
        "node": None,
        "province": None,
    }


@pytest.mark.parametrize("role", ["agent", "clerk", "node", "province"])
def test_nobody_edits_a_registered_act(role: str) -> None:
    assert refusal(operation("act"), role=role) == "beyond_role"
    assert {refusal(operation("act", act, new=True), role=role) for act in ACTS - {"set"}} == {"beyond_role"}


def test_a_server_draws_up_an_act_and_nobody_else_does() -> None:
    assert refusal(operation("act", new=True), role="node") is None
    assert refusal(operation("act", new=True), role="agent") == "beyond_role"


def test_a_kind_from_a_newer_program_is_held_up_for_devices_only() -> None:
    assert refusal(operation("marriage"), role="node") is None
    assert refusal(operation("marriage"), role="agent") == "beyond_role"


def test_an_unknown_act_and_an_unknown_role_are_kept_aside() -> None:
    assert refusal(operation("person", "annul"), role="province") == "unknown_act"
    assert refusal(operation("person"), role="mayor") == "beyond_role"


def test_the_kinds_named_here_are_those_of_the_catalogue() -> None:
    made = {name for name, kind in CATALOGUE.items() if kind.server_made}
    assert (set(CATALOGUE) - made, made) == (set(CITIZEN_KINDS), {*SERVER_KINDS, *FINAL_KINDS})


PIECES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 6)).map(lambda pair: (pair[0], sum(pair))), max_size=12
)


@given(PIECES)
@settings(deadline=None)
def test_ranges_hold_exactly_the_numbers_given_to_them(pieces: list[tuple[int, int]]) -> None:
    held = Ranges.from_list(pieces)
    numbers = {n for first, last in pieces for n in range(first, last + 1)}
    assert {n for n in range(60) if n in held} == numbers
    assert {n for first, last in held.to_list() for n in range(first, last + 1)} == numbers
    missing = {n for first, last in held.holes() for n in range(first, last + 1)}
    assert missing == set(range(1, max(numbers, default=0) + 1)) - numbers
    assert held.through == min(missing | {max(numbers, default=0) + 1}) - 1


@given(PIECES)
@settings(deadline=None)
def test_ranges_are_written_in_one_way_only(pieces: list[tuple[int, int]]) -> None:
    held = Ranges.from_list(pieces)
    assert held == Ranges.from_list(reversed(pieces)) == Ranges.from_list(held.to_list())
    assert all(one[1] + 1 < other[0] for one, other in zip(held.to_list(), held.to_list()[1:], strict=False))


def test_a_range_that_ends_before_it_starts_is_an_error() -> None:
    with pytest.raises(ValueError, match="last < first"):
        Ranges().add(5, 4)
