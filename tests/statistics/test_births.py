"""Births as planners and clerks ask for them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app.database import Database
from app.statistics.births import DIMENSIONS
from app.territory.places import Territory
from app.territory.tables import quartier
from tests.statistics.conftest import KIMBANSEKE, KINTAMBO, SALONGO, WENZE, Ask, Register, act, rows


def test_a_planner_of_the_province_reads_a_communes_table_by_year_and_delay(
    ask: Ask, register: Register
) -> None:
    register.add(act(year=2011, delay="in_delay"), times=1957)
    register.add(act(year=2011, delay="out_of_delay"), times=349)
    register.add(act(year=2012, delay="in_delay"), times=1000)
    register.add(act(KINTAMBO, year=2011, delay="in_delay"), times=20)
    table = rows(ask("births?by=commune,year,delay"))
    assert table == [
        {"commune": KIMBANSEKE, "year": 2011, "delay": "in_delay", "births": 1957},
        {"commune": KIMBANSEKE, "year": 2011, "delay": "out_of_delay", "births": 349},
        {"commune": KIMBANSEKE, "year": 2012, "delay": "in_delay", "births": 1000},
        {"commune": KINTAMBO, "year": 2011, "delay": "in_delay", "births": 20},
    ]
    assert table == rows(ask("births"))
    assert rows(ask(f"births?by=year&commune={KIMBANSEKE}&from=2012&to=2017")) == [
        {"year": 2012, "births": 1000}
    ]


def test_the_year_of_birth_is_another_series_than_the_year_of_registration(
    ask: Ask, register: Register
) -> None:
    register.add(act(year=2012, registered_on="2012-01-20", birth_date="2011-12-24"), times=6)
    register.add(act(year=2012, registered_on="2012-06-20"), times=7)
    assert rows(ask("births?by=year&basis=registration")) == [{"year": 2012, "births": 13}]
    assert rows(ask("births?by=year&basis=birth")) == [
        {"year": 2011, "births": 6},
        {"year": None, "births": 7},
    ]
    assert rows(ask("births?by=year,month&basis=birth")) == [
        {"year": 2011, "month": 12, "births": 6},
        {"year": None, "month": None, "births": 7},
    ]
    assert [row["month"] for row in rows(ask("births?by=month&basis=registration"))] == [1, 6]


def test_a_period_leaves_out_births_of_an_unknown_year(ask: Ask, register: Register) -> None:
    register.add(act(year=2012, birth_date="2011"), act(year=2012), times=8)
    assert rows(ask("births?by=year&basis=birth&to=2017")) == [{"year": 2011, "births": 8}]
    assert rows(ask("births?by=year&basis=birth&from=1850")) == [{"year": 2011, "births": 8}]


def test_every_crossing_of_dimensions_keeps_the_total(ask: Ask, register: Register) -> None:
    girl = act(year=2013, delay="in_delay", sex="F", mode="direct", mother_quartier=WENZE)
    boy = act(year=2013, delay="undetermined", sex="M", mode="judgment", mother_quartier=SALONGO)
    register.add(girl, times=30)
    register.add(boy, times=12)
    register.add(act(year=2014), times=9)
    for dimension in DIMENSIONS:
        assert sum(row["births"] for row in rows(ask(f"births?by={dimension}"))) == 51
    assert rows(ask("births?by=")) == [{"births": 51}]
    assert rows(ask("births?by=sex,mode,quartier,delay")) == [
        {"sex": "F", "mode": "direct", "quartier": WENZE, "delay": "in_delay", "births": 30},
        {"sex": "M", "mode": "judgment", "quartier": SALONGO, "delay": "undetermined", "births": 12},
        {"sex": "unknown", "mode": "unknown", "quartier": None, "delay": "unknown", "births": 9},
    ]


def test_births_counted_under_an_old_quartier_code_appear_under_the_new_one(
    ask: Ask, register: Register, database: Database
) -> None:
    register.add(act(KINTAMBO, year=2013, mother_quartier=WENZE), times=6)
    with database.write() as connection:
        connection.execute(sa.update(quartier).where(quartier.c.code == WENZE).values(valid_to="2027-12-31"))
        new = {"code": "KIN-WENZE", "commune": KINTAMBO, "name": "WENZE", "rank": 9, "predecessor": WENZE}
        connection.execute(quartier.insert().values({**new, "valid_from": "2028-01-01"}))
        register.territory = Territory.read(connection)
    register.add(act(KINTAMBO, year=2013, mother_quartier="KIN-WENZE"), times=5)
    assert rows(ask("births?by=quartier")) == [{"quartier": "KIN-WENZE", "births": 11}]


def test_births_taken_back_leave_no_row(ask: Ask, register: Register) -> None:
    register.add(act(year=2013, delay="in_delay"), times=6)
    register.add(act(year=2013, delay="in_delay"), times=-6)
    assert rows(ask("births")) == []
    assert rows(ask("births?by=")) == [{"births": 0}]


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        ("by=commune,avenue", "dimension_unknown", "commune, year, delay, quartier, sex, mode, month"),
        ("from=2017&to=2011", "years_reversed", "2017"),
        ("basis=declaration", "invalid_input", ""),
        ("from=42", "invalid_input", ""),
        ("format=xml", "invalid_input", ""),
    ],
)
def test_a_table_that_cannot_be_made_is_refused_in_french(ask: Ask, query: str, code: str, word: str) -> None:
    answer = ask(f"births?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert word in answer.json()["detail"]
