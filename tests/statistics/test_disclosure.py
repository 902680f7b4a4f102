"""Who sees which count: small ones never reach a planner, on no way out."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from app.statistics.disclosure import withhold
from app.statistics.figures import Figures, Ratio
from tests.statistics.conftest import (
    KIMBANSEKE,
    KINTAMBO,
    SALONGO,
    WENZE,
    Ask,
    Register,
    act,
    household,
    person,
    rows,
    visit,
)


@pytest.mark.parametrize(
    ("births", "seen"), [(1, {"births": None, "suppressed": True}), (4, {"births": None, "suppressed": True})]
)
def test_a_planner_does_not_see_one_to_four_births(
    ask: Ask, register: Register, births: int, seen: dict[str, Any]
) -> None:
    register.add(act(year=2011), times=births)
    assert rows(ask("births?by=year")) == [{"year": 2011, **seen}]


def test_a_planner_sees_five_births(ask: Ask, register: Register) -> None:
    register.add(act(year=2011), times=5)
    assert rows(ask("births?by=year")) == [{"year": 2011, "births": 5}]


def test_a_planner_does_not_see_nine_foreigners_but_ten(ask: Ask, register: Register) -> None:
    register.add(person(nationality="AO"), times=9)
    register.add(person(nationality="CD"), times=10)
    assert rows(ask("population?by=commune,nationality_group")) == [
        {"commune": KINTAMBO, "nationality_group": "foreign", "persons": None, "suppressed": True},
        {"commune": KINTAMBO, "nationality_group": "national", "persons": 10},
    ]


def test_a_rate_built_on_a_small_count_goes_with_it(ask: Ask, register: Register) -> None:
    register.add(household(), visit("completed"), times=40)
    register.add(visit("refused"), times=2)
    register.add(person(birth_date="1990"), times=160)
    (row,) = rows(ask("census"))
    assert (row["refused"], row["refusal_rate"], row["suppressed"]) == (None, None, True)
    assert (row["contacted"], row["persons_per_household"]) == (42, 4.0)


@pytest.mark.parametrize("role", ["clerk", "registrar"])
def test_clerks_and_registrars_see_the_true_counts_of_their_commune(
    ask: Ask, register: Register, role: str
) -> None:
    register.add(act(KINTAMBO, year=2011), person(nationality="AO"), visit("refused"), times=1)
    for kind in ("commune", "province"):
        mine: dict[str, Any] = {"commune": KINTAMBO, "kind": kind}
        assert rows(ask("births?by=year", role, **mine)) == [{"year": 2011, "births": 1}]
        nationality = rows(ask("population?by=nationality_group", role, **mine))
        assert nationality == [{"nationality_group": "foreign", "persons": 1}]
        assert rows(ask("census", role, **mine))[0]["refusal_rate"] == 1.0


@pytest.mark.parametrize(
    ("role", "commune", "kind"),
    [
        ("clerk", KINTAMBO, "commune"),
        ("registrar", KINTAMBO, "province"),
        ("planner", KINTAMBO, "commune"),
        ("planner", KINTAMBO, "province"),
    ],
)
def test_officers_of_a_commune_count_their_own_only(
    ask: Ask, register: Register, role: str, commune: str, kind: str
) -> None:
    register.add(act(KINTAMBO, year=2011), act(KIMBANSEKE, year=2011), times=6)
    register.add(person(), person(f"commune:{KIMBANSEKE}"), person("commune:?"), times=7)
    mine: dict[str, Any] = {"commune": commune, "kind": kind}
    answer = ask("births?by=commune", role, **mine)
    assert rows(answer) == [{"commune": KINTAMBO, "births": 6}]
    assert answer.json()["filters"] == {"commune": KINTAMBO}
    assert rows(ask("population?by=", role, **mine)) == [{"persons": 7}]
    assert [row["commune"] for row in rows(ask("census", role, **mine))] == [KINTAMBO]
    for table in ("births", "population", "census"):
        other = ask(f"{table}?commune={KIMBANSEKE}", role, **mine)
        assert (other.status_code, other.json()["code"]) == (403, "other_commune")
        assert ask(f"{table}?commune={KINTAMBO}", role, **mine).status_code == 200


def test_the_provinces_planner_counts_every_commune_and_what_lies_in_none(
    ask: Ask, register: Register
) -> None:
    register.add(person(), person(f"commune:{KIMBANSEKE}"), person("commune:?"), times=7)
    assert rows(ask("population")) == [
        {"commune": KIMBANSEKE, "persons": 7},
        {"commune": KINTAMBO, "persons": 7},
        {"commune": None, "persons": 7},
    ]
    unknown = ask("population?commune=CD-KN-099")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "commune_unknown")


@pytest.mark.parametrize(
    ("commune", "kind"), [(KINTAMBO, "commune"), (KINTAMBO, "province"), (None, "province")]
)
def test_a_supervisor_follows_the_census_of_his_communes_in_true_counts(
    ask: Ask, register: Register, commune: str | None, kind: str
) -> None:
    for area in (f"commune:{KINTAMBO}", f"commune:{KIMBANSEKE}"):
        register.add(household(area), visit("refused", area), person(area, birth_date="1990"), times=2)
    mine: dict[str, Any] = {"commune": commune, "kind": kind}
    seen = rows(ask("census", "supervisor", **mine))
    assert [(row["commune"], row["households"], row["refused"]) for row in seen] == [
        (each, 2, 2) for each in ([commune] if commune else [KIMBANSEKE, KINTAMBO])
    ]
    other = ask(f"census?commune={KIMBANSEKE}", "supervisor", **mine)
    assert other.status_code == (403 if commune else 200)


@pytest.mark.parametrize(
    ("role", "table"),
    [
        *((role, table) for role in ("agent", "admin") for table in ("births", "population", "census")),
        ("supervisor", "births"),
        ("supervisor", "population"),
    ],
)
def test_agents_and_admins_get_no_figures_nor_a_supervisor_more_than_progress(
    ask: Ask, role: str, table: str
) -> None:
    commune = None if role == "admin" else KINTAMBO
    answer = ask(table, role, commune=commune)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_forbidden")


@pytest.mark.parametrize(
    "path",
    [
        "births?by=year,delay",
        "population?by=quartier,sex",
        "population?by=nationality_group",
        "census?by=quartier",
    ],
)
@pytest.mark.parametrize(("role", "commune"), [("planner", None), ("clerk", KINTAMBO)])
def test_the_file_shows_exactly_what_the_answer_shows(
    ask: Ask, register: Register, path: str, role: str, commune: str | None
) -> None:
    for number, area in enumerate([WENZE, SALONGO, f"commune:{KINTAMBO}"], start=2):
        register.add(household(area), visit("refused", area), times=number)
        register.add(visit("completed", area), person(area, birth_date="2020", sex="F"), times=3 * number)
        register.add(act(KINTAMBO, year=2010 + number, delay="in_delay"), times=number + 1)
    answer = ask(path, role, commune=commune)
    text = ask(f"{path}&format=csv", role, commune=commune).content.decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text.partition("\r\n\r\n")[0], newline=""), delimiter=";"))
    assert len(lines) == len(rows(answer)) > 0
    counted = {"births", "persons", "households", "contacted", "refused", "under18", "under18_no_act"}
    counted |= {"refusal_rate", "persons_per_household", "under18_no_act_rate"}
    for line, row in zip(lines, rows(answer), strict=True):
        shown = [row[name] for name in row if name in counted]
        written = list(line.values())[-len(shown) - 1 :]
        assert [float(cell.replace(",", ".")) if cell else None for cell in written[:-1]] == shown
        assert (written[-1] == "oui") == row.get("suppressed", False)


def test_nothing_but_the_small_counts_and_their_ratios_changes() -> None:
    figures = Figures(
        name="census",
        by=("quartier",),
        counts=("refused", "contacted"),
        ratios={"refusal_rate": Ratio(above="refused", below="contacted")},
        rows=[
            {"quartier": "a", "refused": 0, "contacted": 4, "refusal_rate": 0.0},
            {"quartier": "b", "refused": 0, "contacted": 5, "refusal_rate": 0.0},
            {"quartier": "c", "refused": 5, "contacted": 50, "refusal_rate": 0.1},
        ],
        cutoff=None,
        definition="",
        filters={},
    )
    first, *others = withhold(figures, below=5).rows
    assert first == {
        "quartier": "a",
        "refused": 0,
        "contacted": None,
        "refusal_rate": None,
        "suppressed": True,
    }
    assert others == figures.rows[1:]
