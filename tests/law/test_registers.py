"""When a citizen needs a judgment for an act, when a volume is full and where volets go."""

from __future__ import annotations

from datetime import date

from app.law.registers import judgment_needed, sheets_of_volume, volets_on


def test_a_birth_in_delay_needs_no_judgment_unless_it_was_declared_on_one() -> None:
    assert not judgment_needed("in_delay", "direct")
    assert not judgment_needed("in_delay", None)
    assert judgment_needed("in_delay", "judgment")


def test_a_birth_that_is_or_may_be_late_needs_a_judgment() -> None:
    assert judgment_needed("out_of_delay", "direct")
    assert judgment_needed("undetermined", "procuration")


def test_a_volume_of_today_has_534_sheets_and_one_before_the_code_nobody_knows() -> None:
    assert sheets_of_volume(date(2026, 2, 2)) == 534
    assert sheets_of_volume(date(1988, 7, 31)) is None


def test_each_volet_has_a_holder_from_the_code_of_1987_on() -> None:
    assert volets_on(date(2026, 2, 2)) == {1: "parents", 2: "court", 3: "interior", 4: "commune"}
    assert volets_on(date(1988, 7, 31)) == {}
