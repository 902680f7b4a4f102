"""Before which court a late birth goes, by the age on the day of the request, and the path of those before the Code."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.courts import age_on, competent_court, late_path
from app.law.dates import PossibleDays, possible_days


def span(birth: str) -> PossibleDays:
    earliest, _, latest = birth.partition("..")
    return PossibleDays(date.fromisoformat(earliest), date.fromisoformat(latest or earliest))


CASES: list[tuple[str, str, str | None, int, int]] = [
    # the eve of the 18th birthday, the day, the day after
    ("2008-05-03", "2026-05-02", "children", 17, 17),
    ("2008-05-03", "2026-05-03", "adults", 18, 18),
    ("2008-05-03", "2026-05-04", "adults", 18, 18),
    # born on 29 February: 18 in a common year on 1 March; in a leap year on the day itself
    ("2008-02-29", "2026-02-28", "children", 17, 17),
    ("2008-02-29", "2026-03-01", "adults", 18, 18),
    ("2004-02-29", "2024-02-28", "adults", 19, 19),
    ("2006-02-28", "2024-02-28", "adults", 18, 18),
    # the day of birth itself
    ("2026-02-02", "2026-02-02", "children", 0, 0),
    # imprecise: both courts possible, or one
    ("2008-01-01..2008-12-31", "2026-05-03", None, 17, 18),
    ("2008-01-01..2008-12-31", "2026-12-31", "adults", 18, 18),
    ("2009-01-01..2009-12-31", "2026-12-31", "children", 17, 17),
    ("1958-01-01..1962-12-31", "2026-02-02", "adults", 63, 68),
    # a span that reaches beyond the request: nobody is born after it
    ("2026-01-01..2026-12-31", "2026-02-02", "children", 0, 0),
]


@pytest.mark.parametrize(("birth", "on", "code", "least", "most"), CASES)
def test_the_age_on_the_day_of_the_request_names_the_court(
    birth: str, on: str, code: str | None, least: int, most: int
) -> None:
    answer = competent_court(span(birth), date.fromisoformat(on))
    assert (answer.code, answer.least, answer.most) == (code, least, most)
    assert (answer.court_kind is None) == (code is None)


def test_the_answer_is_explained_in_french_with_its_article_or_its_doubt() -> None:
    child = competent_court(span("2010-05-03"), date(2026, 2, 2))
    assert child.rule == (
        "Âge au jour de la requête (02/02/2026) : 15 ans, donc tribunal pour enfants (loi n° 09/001 du 10 janvier 2009 "
        "portant protection de l'enfant)."
    )
    assert child.verified
    grown = competent_court(span("1987-01-01"), date(2026, 2, 2))
    assert grown.rule.endswith("39 ans, donc tribunal de paix (règle à confirmer).")
    assert not grown.verified
    doubt = competent_court(span("2008-01-01..2008-12-31"), date(2026, 2, 2))
    assert doubt.rule.endswith(
        "de 17 à 18 ans, donc tribunal pour enfants ou tribunal de paix, selon la date de naissance."
    )


def test_nobody_knows_the_court_without_a_date_of_birth_or_a_rule_for_the_day() -> None:
    assert competent_court(None, date(2026, 2, 2)).code is None
    assert competent_court(span("2026-02-03"), date(2026, 2, 2)).code is None
    early = competent_court(span("1990-01-01"), date(2009, 1, 9))
    assert (early.code, early.least) == (None, 19)
    assert "aucun tribunal" in early.rule
    assert competent_court(span("1990-01-01"), date(2009, 1, 10)).code == "adults"


@given(st.dates(date(1900, 1, 1), date(2026, 2, 2)), st.integers(0, 2000))
def test_an_imprecise_birth_names_a_court_only_if_every_day_of_it_does(born: date, width: int) -> None:
    on = date(2026, 2, 2)
    days = PossibleDays(born, min(born + timedelta(days=width), on))
    each = {
        competent_court(PossibleDays(day, day), on).code
        for day in (born + timedelta(days=n) for n in range(0, (days.latest - born).days + 1, 7))
    } | {competent_court(PossibleDays(days.latest, days.latest), on).code}
    assert competent_court(days, on).code == (each.pop() if len(each) == 1 else None)


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 100))
def test_a_person_is_one_year_older_from_each_birthday_on(born: date, years: int) -> None:
    if (born.month, born.day) != (2, 29):
        birthday = born.replace(year=born.year + years)
        assert age_on(born, birthday) == years
        assert age_on(born, birthday - timedelta(days=1)) == years - 1


@pytest.mark.parametrize(
    ("birth", "path", "homologation"),
    [
        ("1988-07-31", "notoriety", True),
        ("1988-08-01", "judgment", False),
        ("1960-01-01..1960-12-31", "notoriety", True),
        ("1988-01-01..1988-12-31", None, False),
        ("2020-01-01", "judgment", False),
    ],
)
def test_a_birth_before_the_code_takes_the_path_of_notoriety(
    birth: str, path: str | None, homologation: bool
) -> None:
    answer = late_path(span(birth), date(2026, 2, 2))
    assert (answer.path, answer.homologation) == (path, homologation)
    assert late_path(None, date(2026, 2, 2)).path is None


def test_a_birth_abroad_or_on_a_journey_is_judged_by_the_same_ages() -> None:
    days = possible_days("2015-06", "month", declared_on=date(2026, 2, 2))
    assert competent_court(days, date(2026, 2, 2)).code == "children"
