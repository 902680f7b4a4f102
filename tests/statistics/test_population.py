"""Residents as planners and clerks ask for them."""

from __future__ import annotations

import pytest

from app.statistics.figures import AGE_GROUPS, age_group
from tests.statistics.conftest import KIMBANSEKE, KINTAMBO, SALONGO, WENZE, Ask, Register, person, rows


def test_residents_by_place_sex_and_age(ask: Ask, register: Register) -> None:
    register.add(person(sex="F", birth_date="2020-12-31"), times=7)
    register.add(person(sex="F", birth_date="2021-01-01"), times=8)
    register.add(person(SALONGO, sex="M", birth_date="1930"), times=9)
    register.add(person(f"commune:{KINTAMBO}"), times=10)
    register.add(person(status="dead", sex="M"), times=50)
    table = ask("population?by=commune,quartier,sex,age_group&year=2025")
    assert rows(table) == [
        {"commune": KINTAMBO, "quartier": SALONGO, "sex": "M", "age_group": "80+", "persons": 9},
        {"commune": KINTAMBO, "quartier": WENZE, "sex": "F", "age_group": "0-4", "persons": 8},
        {"commune": KINTAMBO, "quartier": WENZE, "sex": "F", "age_group": "5-9", "persons": 7},
        {"commune": KINTAMBO, "quartier": None, "sex": "unknown", "age_group": "unknown", "persons": 10},
    ]
    assert "31 décembre 2025" in table.json()["definition"]
    assert rows(ask("population")) == [{"commune": KINTAMBO, "persons": 34}]


def test_age_groups_come_in_the_order_of_age(ask: Ask, register: Register) -> None:
    people = [person(birth_date=str(year)) for year in range(1940, 2026, 5)]
    register.add(*people, person(), times=5)
    groups = [row["age_group"] for row in rows(ask("population?by=age_group&year=2025"))]
    assert groups == list(AGE_GROUPS)


@pytest.mark.parametrize(
    ("born", "group"),
    [(2026, "0-4"), (2022, "0-4"), (2021, "5-9"), (1947, "75-79"), (1946, "80+"), (1850, "80+")],
)
def test_the_age_is_the_one_reached_on_31_december(born: int, group: str) -> None:
    assert age_group(born, 2026) == group


@pytest.mark.parametrize("born", [0, 2027])
def test_no_birth_year_and_one_to_come_give_no_age(born: int) -> None:
    assert age_group(born, 2026) == "unknown"


def test_the_reference_year_is_that_of_the_newest_data_in_kinshasa(ask: Ask, register: Register) -> None:
    register.add(person(birth_date="2019"), times=6)
    assert ask("population?by=age_group").json()["reference_year"] == 2026  # nothing received: today's
    register.receive("2023-12-31T22:59:59.999Z")
    assert ask("population?by=age_group").json()["reference_year"] == 2023
    register.receive("2023-12-31T23:00:00.000Z")
    answer = ask("population?by=age_group")
    assert (answer.json()["reference_year"], answer.json()["cutoff"]) == (2024, "2023-12-31T23:00:00.000Z")
    assert rows(answer) == [{"age_group": "5-9", "persons": 6}]


def test_nationality_groups_by_commune(ask: Ask, register: Register) -> None:
    register.add(person(nationality="CD"), person(nationality="AO"), times=20)
    register.add(person(nationality="CG"), times=11)
    register.add(person(f"commune:{KIMBANSEKE}", nationality="indeterminate"), times=12)
    assert rows(ask("population?by=commune,nationality_group")) == [
        {"commune": KIMBANSEKE, "nationality_group": "indeterminate", "persons": 12},
        {"commune": KINTAMBO, "nationality_group": "foreign", "persons": 31},
        {"commune": KINTAMBO, "nationality_group": "national", "persons": 20},
    ]
    assert {row["nationality_group"] for row in rows(ask("population?by=nationality_group"))} == {
        "national",
        "foreign",
        "indeterminate",
    }


@pytest.mark.parametrize("other", ["quartier", "sex", "age_group", "commune,sex"])
def test_nationality_is_never_crossed_with_anything_but_the_commune(ask: Ask, other: str) -> None:
    for role, commune in (("planner", None), ("clerk", KINTAMBO)):
        answer = ask(f"population?by={other},nationality_group", role, commune=commune)
        assert (answer.status_code, answer.json()["code"]) == (422, "combination_refused")
