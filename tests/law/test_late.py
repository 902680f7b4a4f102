"""The ways to a late registration, each case as a clerk would put it."""

from __future__ import annotations

from datetime import date

import pytest

from app.law.annotations import annotation_type
from app.law.dates import PossibleDays
from app.law.late import Terms, appeal_until, fee_waived, names_another_court, steps_of
from app.law.parameters import apply_law, law, read_law

TODAY = date(2026, 2, 2)
CAMPAIGN = Terms(True, date(2026, 1, 15), date(2026, 3, 15), 0, 17)


def born(earliest: str, latest: str | None = None) -> PossibleDays:
    return PossibleDays(date.fromisoformat(earliest), date.fromisoformat(latest or earliest))


def test_a_judgment_is_asked_for_given_served_and_certified_and_a_notoriety_is_homologated() -> None:
    steps = steps_of("judgment", TODAY)
    assert [each.step for each in steps] == ["sent", "requested", "judged", "served", "no_appeal"]
    assert [each.step for each in steps if not each.needed] == ["sent"]
    assert [each.step for each in steps_of("notoriety", TODAY)][-1] == "homologated"
    assert steps_of("legend", TODAY) == ()


def test_a_jurist_can_take_the_homologation_away() -> None:
    before = law()
    row = "1988-08-01,,1988-08-01,notoriety,none,,,essai,verified"
    heading = "in_force_from,in_force_to,born_before,path,homologation,article,description,source,status"
    try:
        apply_law(read_law({"before_code.csv": f"{heading}\n{row}\n"}))
        assert [each.step for each in steps_of("notoriety", TODAY)] == ["sent", "requested", "judged"]
    finally:
        apply_law(before)


def test_a_judgment_may_be_appealed_for_thirty_days_from_its_service() -> None:
    appeal = appeal_until(date(2026, 1, 20))
    assert appeal is not None
    assert (appeal.until, appeal.rule) == (date(2026, 2, 19), "30 jours (règle à confirmer)")
    assert appeal_until(date(1980, 1, 1)) is None


@pytest.mark.parametrize(
    ("name", "code", "other"),
    [
        ("Tribunal pour enfants de Kinshasa/Matete", "children", None),
        ("TRIBUNAL  DE PAIX de Kinshasa/Ngaliema", "children", "tribunal de paix"),
        ("Tribunal pour enfants de Kinshasa/Matete", "adults", "tribunal pour enfants"),
        ("Tripaix", "children", None),
        ("", "children", None),
    ],
)
def test_the_name_of_a_court_tells_its_kind_or_nothing(name: str, code: str, other: str | None) -> None:
    assert names_another_court(name, code, on=TODAY) == other


@pytest.mark.parametrize(
    ("birth", "on", "waived"),
    [
        (born("2019-05-02"), "2026-01-15", True),
        (born("2019-05-02"), "2026-03-15", True),
        (born("2019-05-02"), "2026-01-14", False),
        (born("2019-05-02"), "2026-03-16", False),
        (born("2008-02-03"), "2026-02-02", True),
        (born("2008-02-02"), "2026-02-02", False),
        (born("2008-01-01", "2008-12-31"), "2026-02-02", None),
        (None, "2026-02-02", None),
    ],
)
def test_a_campaign_waives_the_fee_on_its_days_and_at_its_ages(
    birth: PossibleDays | None, on: str, waived: bool | None
) -> None:
    assert fee_waived(CAMPAIGN, birth, on=date.fromisoformat(on)).yes is waived


def test_a_campaign_without_ages_asks_for_none_and_one_without_waiver_waives_nothing() -> None:
    everybody = Terms(True, None, None, None, None)
    assert fee_waived(everybody, None, on=TODAY).yes is True
    assert fee_waived(Terms(False, None, None, None, None), born("2019-05-02"), on=TODAY).yes is False


def test_a_note_changes_what_its_type_allows() -> None:
    allowed = {}
    for code in ("rectification", "recognition", "marriage", "annulment"):
        known = annotation_type(code, TODAY)
        assert known is not None
        allowed[code] = known.changes
    assert {"nom", "sex", "birth_date", "birth_place", "father_name"} < allowed["rectification"]
    assert allowed["recognition"] == {
        "nom",
        "postnom",
        "prenom",
        "mother",
        "father",
        "mother_name",
        "father_name",
    }
    assert allowed["marriage"] == allowed["annulment"] == frozenset()
