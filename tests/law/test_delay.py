"""Cases of the legal delay, each as a clerk would put it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.dates import PossibleDays
from app.law.delay import Delay, DelayAnswer, JudgedOn, delay_of, read_rules, rule_on, rules_of
from app.law.parameters import law

RULES = rules_of(law())


def day(text: str) -> date:
    return date.fromisoformat(text)


def judged(birth: str, declared: str, judged_on: JudgedOn = "declaration") -> DelayAnswer:
    """`birth` is one day, or the earliest and the latest with two dots between."""
    earliest, _, latest = birth.partition("..")
    span = PossibleDays(day(earliest), day(latest or earliest))
    return delay_of(declared_on=day(declared), birth=span, judged_on=judged_on)


CASES: list[tuple[str, str, Delay, int | None, int | None]] = [
    # the day of birth is day 0, day 90 is still in time
    ("2024-03-01", "2024-03-01", "in_delay", 0, 90),
    ("2024-03-01", "2024-05-29", "in_delay", 89, 90),
    ("2024-03-01", "2024-05-30", "in_delay", 90, 90),
    ("2024-03-01", "2024-05-31", "out_of_delay", 91, 90),
    # 29 February is one more day to count
    ("2024-02-28", "2024-05-28", "in_delay", 90, 90),
    ("2023-02-28", "2023-05-29", "in_delay", 90, 90),
    ("2024-02-29", "2024-05-30", "out_of_delay", 91, 90),
    ("2023-12-01", "2024-02-29", "in_delay", 90, 90),
    ("2023-12-01", "2024-03-01", "out_of_delay", 91, 90),
    # 30 days under the Code of 1987
    ("1990-01-01", "1990-01-31", "in_delay", 30, 30),
    ("1990-01-01", "1990-02-01", "out_of_delay", 31, 30),
    # the rule of the day of declaration judges: 31 days are late on 9 January 2009, in time the next day
    ("2008-12-09", "2009-01-09", "out_of_delay", 31, 30),
    ("2008-12-10", "2009-01-10", "in_delay", 31, 90),
    ("2008-10-12", "2009-01-10", "in_delay", 90, 90),
    ("2008-10-11", "2009-01-10", "out_of_delay", 91, 90),
    # 2016 changes the article, not the number
    ("2016-04-15", "2016-07-14", "in_delay", 90, 90),
    ("2016-04-16", "2016-07-15", "in_delay", 90, 90),
    ("2016-04-15", "2016-07-15", "out_of_delay", 91, 90),
    # before the first rule
    ("1988-07-30", "1988-07-31", "undetermined", 1, None),
    ("1988-07-31", "1988-08-01", "in_delay", 1, 30),
    ("1850-01-01", "1988-08-01", "out_of_delay", 50616, 30),
    # imprecise: all late, all in time, some of each
    ("2015-01-01..2015-12-31", "2016-03-30", "undetermined", None, 90),
    ("2015-01-01..2015-12-31", "2016-03-31", "out_of_delay", None, 90),
    ("2015-05-01..2015-05-31", "2015-07-30", "in_delay", None, 90),
    ("2015-05-01..2015-05-31", "2015-07-31", "undetermined", None, 90),
    ("1960-01-01..1960-12-31", "2017-06-01", "out_of_delay", None, 90),
    # what lies after the declaration is not possible
    ("2017-01-01..2017-12-31", "2017-04-01", "in_delay", None, 90),
    ("2017-01-01..2017-12-31", "2017-04-02", "undetermined", None, 90),
    ("2017-03-01..2017-03-31", "2017-03-01", "in_delay", 0, 90),
]


@pytest.mark.parametrize(("birth", "declared", "delay", "days", "limit"), CASES)
def test_a_birth_is_judged_by_the_table_of_cases(
    birth: str, declared: str, delay: Delay, days: int | None, limit: int | None
) -> None:
    answer = judged(birth, declared)
    assert (answer.delay, answer.days, answer.limit) == (delay, days, limit)


def test_the_article_named_is_the_one_in_force_on_the_day_of_declaration() -> None:
    assert "87-010" in judged("2009-01-01", "2009-01-09").article
    assert "09/001" in judged("2009-01-01", "2009-01-10").article
    assert "09/001" in judged("2016-07-01", "2016-07-14").article
    assert "16/008" in judged("2016-07-01", "2016-07-15").article
    assert judged("1988-07-01", "1988-07-02").article == ""


def test_the_parent_reads_in_one_sentence_why() -> None:
    assert judged("2024-03-01", "2024-05-31").rule == (
        "Déclarée 91 jours après la naissance ; le délai légal est de 90 jours (art. 116 du Code de la famille "
        "modifié par la loi n° 16/008 du 15 juillet 2016) : hors délai."
    )
    assert judged("2024-03-01", "2024-03-01").rule.startswith("Déclarée le jour de la naissance ; ")
    assert judged("2024-03-01", "2024-03-02").rule.startswith("Déclarée 1 jour après")
    assert judged("2015-01-01..2015-12-31", "2016-03-30").rule.startswith(
        "Déclarée entre 90 et 454 jours après la naissance (date de naissance approximative)"
    )
    assert judged("1988-07-30", "1988-07-31").rule == (
        "Déclarée 1 jour après la naissance ; aucune règle unique n'est connue pour le 31/07/1988 : délai indéterminé."
    )


def test_a_birth_after_its_declaration_is_not_judged() -> None:
    answer = judged("2024-03-02", "2024-03-01")
    assert (answer.delay, answer.limit) == ("undetermined", None)
    assert "postérieure" in answer.rule


@pytest.mark.parametrize(
    ("declared", "birth"),
    [(None, PossibleDays(day("2024-01-01"), day("2024-01-01"))), (day("2024-03-01"), None), (None, None)],
)
def test_an_unknown_date_is_not_judged(declared: date | None, birth: PossibleDays | None) -> None:
    answer = delay_of(declared_on=declared, birth=birth)
    assert (answer.delay, answer.days, answer.limit, answer.article) == ("undetermined", None, None, "")
    assert "inconnue" in answer.rule


def test_judging_by_the_day_of_birth_is_possible_where_a_court_wants_it() -> None:
    late = judged("2008-12-10", "2009-01-10", "birth")
    assert (late.delay, late.limit) == ("out_of_delay", 30)
    across = judged("2008-12-01..2009-01-31", "2009-02-05", "birth")
    assert (across.delay, across.limit, across.days) == ("undetermined", None, None)
    assert judged("2008-12-01..2009-01-31", "2009-06-30", "birth").delay == "out_of_delay"
    before = judged("1988-07-31", "1988-08-01", "birth")
    assert (before.delay, before.limit) == ("undetermined", None)


def test_a_new_delay_is_one_more_dated_row() -> None:
    rules = read_rules(
        "in_force_from,in_force_to,days,article,source,status\n"
        "2030-01-01,,60,art. 3,a law,unverified\n"
        "2016-07-15,2029-12-31,90,art. 2,a law,verified\n"
    )
    born = PossibleDays(day("2029-11-01"), day("2029-11-01"))
    assert delay_of(declared_on=day("2029-12-31"), birth=born, rules=rules).limit == 90
    assert delay_of(declared_on=day("2030-01-01"), birth=born, rules=rules).delay == "out_of_delay"


def test_two_delays_on_one_day_are_refused() -> None:
    with pytest.raises(ValueError, match="2016-07-15"):
        read_rules(
            "in_force_from,in_force_to,days,article,source,status\n"
            "2009-01-10,2016-07-15,90,a,a,verified\n2016-07-15,,90,b,b,verified\n"
        )


def test_the_rules_shipped_follow_one_another_without_a_gap() -> None:
    for earlier, later in pairwise(RULES):
        assert earlier.in_force_to is not None
        assert earlier.in_force_to + timedelta(days=1) == later.in_force_from
    assert RULES[-1].in_force_to is None
    assert {rule.status for rule in RULES} <= {"verified", "unverified"}


days = st.dates(day("1980-01-01"), day("2035-12-31"))


@given(declared=days, ends=st.tuples(days, days), judged_on=st.sampled_from(["declaration", "birth"]))
def test_an_approximate_date_gives_what_all_its_days_give_and_nothing_more(
    declared: date, ends: tuple[date, date], judged_on: JudgedOn
) -> None:
    earliest, latest = min(ends), min(max(ends), min(ends) + timedelta(days=800))
    answer = delay_of(declared_on=declared, birth=PossibleDays(earliest, latest), judged_on=judged_on)
    possible = [
        one
        for one in (earliest + timedelta(days=n) for n in range((latest - earliest).days + 1))
        if one <= declared
    ]
    single = {
        delay_of(declared_on=declared, birth=PossibleDays(one, one), judged_on=judged_on).delay
        for one in possible
    }
    assert answer.delay == (single.pop() if len(single) == 1 else "undetermined")


@given(declared=days, born=days)
def test_waiting_another_day_under_one_rule_never_brings_a_late_birth_back_in_time(
    declared: date, born: date
) -> None:
    tomorrow = declared + timedelta(days=1)
    today_answer = delay_of(declared_on=declared, birth=PossibleDays(born, born))
    later_answer = delay_of(declared_on=tomorrow, birth=PossibleDays(born, born))
    if rule_on(declared) is rule_on(tomorrow) and today_answer.delay == "out_of_delay":
        assert later_answer.delay == "out_of_delay"
