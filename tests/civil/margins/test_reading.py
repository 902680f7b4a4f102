"""How an act reads is a function of the set of its notes and of the day: order of arrival does not matter."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.civil.margins.reading import read_act

ORIGINAL = {"nom": "Mbuyi", "postnom": "Kalala", "sex": "F", "birth_date": "2026-01-10"}
FIRST = date(2026, 1, 1)
DAYS = st.integers(0, 40).map(lambda days: (FIRST + timedelta(days=days)).isoformat())
CHANGES = st.dictionaries(
    st.sampled_from(["nom", "prenom", "sex"]), st.sampled_from(["A", "B", None]), max_size=2
)
NOTES = st.lists(
    st.fixed_dictionaries(
        {"id": st.uuids().map(str), "date": DAYS, "changes": CHANGES, "recorded_at": DAYS},
        optional={"type": st.sampled_from(["rectification", "annulment"])},
    ),
    max_size=6,
    unique_by=lambda note: str(note["id"]),
)

Note = dict[str, Any]


@given(notes=NOTES, on=st.none() | st.integers(-5, 45), order=st.randoms(use_true_random=False))
def test_whatever_note_came_first_the_act_reads_the_same(
    notes: list[Note], on: int | None, order: Any
) -> None:
    day = FIRST + timedelta(days=on) if on is not None else None
    shuffled = list(notes)
    order.shuffle(shuffled)
    assert read_act(ORIGINAL, shuffled, on=day) == read_act(ORIGINAL, notes, on=day)


@given(notes=NOTES)
def test_before_every_note_the_act_reads_as_it_was_drawn_up(notes: list[Note]) -> None:
    reading = read_act(ORIGINAL, notes, on=FIRST - timedelta(days=1))
    assert (reading.facts, reading.notes, reading.annulled_by) == (ORIGINAL, (), None)


@given(notes=NOTES, on=st.integers(0, 45))
def test_a_day_reads_only_the_notes_up_to_it_and_nothing_changes_the_original(
    notes: list[Note], on: int
) -> None:
    day, before = FIRST + timedelta(days=on), dict(ORIGINAL)
    until = [note for note in notes if note["date"] <= day.isoformat()]
    assert read_act(ORIGINAL, notes, on=day) == read_act(ORIGINAL, until)
    assert before == ORIGINAL


def test_the_later_decision_prevails_and_a_null_empties_a_field() -> None:
    notes: list[Note] = [
        {"id": "b", "date": "2026-03-01", "changes": {"nom": "Mbuya"}},
        {"id": "a", "date": "2026-02-01", "changes": {"nom": "Mboyi", "postnom": None}},
        {"id": "c", "changes": "illisible"},
    ]
    reading = read_act(ORIGINAL, notes)
    assert reading.facts == {"nom": "Mbuya", "sex": "F", "birth_date": "2026-01-10"}
    assert [note["id"] for note in reading.notes] == ["c", "a", "b"]


def test_of_two_annulments_the_earlier_is_named() -> None:
    notes: list[Note] = [
        {"id": "a", "type": "annulment", "date": "2026-03-01"},
        {"id": "b", "type": "annulment", "date": "2026-02-01"},
    ]
    assert read_act(ORIGINAL, notes).annulled_by == notes[1]
    assert read_act(ORIGINAL, notes, on=date(2026, 1, 31)).annulled_by is None
