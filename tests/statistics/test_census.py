"""The census as its commune and the province read it, computed by hand."""

from __future__ import annotations

from tests.statistics.conftest import (
    KINTAMBO,
    SALONGO,
    WENZE,
    Ask,
    Register,
    household,
    person,
    rows,
    visit,
)


def test_a_communes_census_in_one_row(ask: Ask, register: Register) -> None:
    register.add(household(), visit("completed"), times=40)
    register.add(person(sex="F", birth_date="1990"), times=100)
    register.add(person(birth_date="2009", birth_act="none"), times=11)  # 18 reached in 2027
    register.add(person(birth_date="2008", birth_act="none"), times=13)  # 18 reached in 2026
    register.add(person(birth_date="2015", birth_act="seen"), times=33)
    register.add(person(birth_act="none"), times=3)
    register.add(visit("partial"), times=5)
    register.add(visit("refused"), times=5)
    register.add(visit("absent"), visit("vacant"), visit("not_found"), times=70)
    assert rows(ask("census?by=commune&year=2026")) == [
        {
            "commune": KINTAMBO,
            "households": 40,
            "persons": 160,
            "contacted": 50,
            "refused": 5,
            "under18": 44,
            "under18_no_act": 11,
            "refusal_rate": 0.1,
            "persons_per_household": 4.0,
            "under18_no_act_rate": 0.25,
        }
    ]


def test_quartiers_add_up_to_their_commune(ask: Ask, register: Register) -> None:
    for number, area in enumerate([WENZE, SALONGO, f"commune:{KINTAMBO}"]):
        register.add(
            household(area), visit("refused", area), person(area, birth_date="2020"), times=10 + number
        )
    table = rows(ask("census?by=quartier"))
    assert [row["quartier"] for row in table] == [SALONGO, WENZE, None]
    assert [row["households"] for row in table] == [11, 10, 12]
    whole = rows(ask("census?by="))[0]
    for name in ("households", "persons", "contacted", "refused", "under18", "under18_no_act"):
        assert whole[name] == sum(row[name] for row in table)


def test_a_rate_without_a_denominator_is_null_and_not_called_withheld(ask: Ask, register: Register) -> None:
    register.add(household(), times=12)
    (row,) = rows(ask("census"))
    assert (row["refusal_rate"], row["persons_per_household"], row["under18_no_act_rate"]) == (
        None,
        0.0,
        None,
    )
    assert "suppressed" not in row


def test_before_anything_arrived_the_total_is_zero(ask: Ask) -> None:
    answer = ask("census?by=")
    assert answer.json()["cutoff"] is None
    assert (rows(answer)[0]["households"], rows(ask("census"))) == (0, [])


def test_a_quartier_everybody_left_has_no_row(ask: Ask, register: Register) -> None:
    register.add(person(), times=6)
    register.add(person(), times=-6)
    assert rows(ask("census?by=quartier")) == []
