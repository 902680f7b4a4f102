"""Kimbanseke's births for the reprise: the published table, from lines a registrar could have copied."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import orjson
import pytest

from app.demo.births import COMMUNE, OFFICE, SHEETS, lines
from app.demo.totals import expected, kimbanseke, table
from app.law.dates import possible_days
from app.law.delay import delay_of
from sync.catalogue import doubtful_fields

SEED = 2018
OF_THE_BOOK = {"office", "year", "volume", "number", "folio", "registered_on", "judgment"}


@pytest.fixture(scope="module", params=[1.0, 0.02])
def book(request: pytest.FixtureRequest) -> tuple[float, list[dict[str, Any]]]:
    return request.param, list(lines(SEED, request.param))


Book = tuple[float, list[dict[str, Any]]]


def test_the_published_series_is_expected() -> None:
    rows = expected()["kimbanseke"]
    assert rows[0] == {"year": 2011, "in_delay": 1957, "out_of_delay": 390}
    assert sum(row["in_delay"] for row in rows) == 77_210
    assert sum(row["out_of_delay"] for row in rows) == 6_723


def test_the_law_finds_the_published_table_in_the_dates_of_the_acts(book: Book) -> None:
    scale, acts = book
    found: Counter[tuple[int, str]] = Counter()
    for act in acts:
        declared = date.fromisoformat(act["declared_on"])
        birth = possible_days(act["birth_date"], act["birth_precision"], declared_on=declared)
        found[act["year"], delay_of(declared_on=declared, birth=birth).delay] += 1
    kinds = ("in_delay", "out_of_delay")
    rows = [{"year": year, **{kind: found[year, kind] for kind in kinds}} for year in range(2011, 2018)]
    assert rows == kimbanseke(scale)
    assert found.total() == len(acts) == sum(row[kind] for row in rows for kind in kinds)


def test_the_last_day_in_time_and_the_first_day_too_late_both_occur(book: Book) -> None:
    scale, acts = book
    days = Counter(waited(act) for act in acts)
    assert min(days) == 0
    assert scale < 1 or (days[90] > 0 and days[91] > 0)


def test_an_act_is_registered_in_its_year_on_a_working_day_soon_after_its_declaration(book: Book) -> None:
    for act in book[1]:
        registered, declared = (
            date.fromisoformat(act["registered_on"]),
            date.fromisoformat(act["declared_on"]),
        )
        assert registered.year == declared.year == act["year"]
        assert 0 <= (registered - declared).days <= 7
        assert registered.weekday() < 5


def test_acts_follow_one_another_without_a_gap_in_volumes_of_534_sheets(book: Book) -> None:
    last: dict[int, tuple[int, str]] = {}
    for act in book[1]:
        number, day = last.get(act["year"], (0, ""))
        assert act["number"] == number + 1
        assert act["registered_on"] >= day
        assert (int(act["volume"]) - 1) * SHEETS + int(act["folio"]) == act["number"]
        assert 1 <= int(act["folio"]) <= SHEETS
        assert (act["office"], act["commune"]) == (OFFICE, COMMUNE)
        last[act["year"]] = act["number"], act["registered_on"]


def test_only_births_out_of_delay_have_a_judgment_and_it_came_first(book: Book) -> None:
    for act in book[1]:
        late = waited(act) > 90
        assert (act["mode"] == "judgment") == (act["paper"] == "judgment") == ("judgment" in act) == late
        if late:
            assert set(act["judgment"]) == {"court", "number", "date"}
            assert act["birth_date"] < act["judgment"]["date"] <= act["declared_on"]


def test_adults_go_to_another_court_than_children(book: Book) -> None:
    courts: dict[str, list[float]] = {}
    for act in book[1]:
        if "judgment" in act:
            judged = date.fromisoformat(act["judgment"]["date"])
            years = (judged - date.fromisoformat(act["birth_date"])).days / 365.25
            courts.setdefault(act["judgment"]["court"], []).append(years)
    children = courts.pop("Tribunal pour enfants de Kinshasa, siège de N'Djili")
    assert max(children) < 18 <= min(min(years) for years in courts.values())


def test_boys_and_girls_are_born_as_everywhere(book: Book) -> None:
    scale, acts = book
    sexes = Counter(act["sex"] for act in acts)
    assert sexes["M"] / sexes["F"] == pytest.approx(1.028, abs=0.02 if scale == 1 else 0.15)


def test_twins_have_one_act_each_next_to_each_other_and_their_fixed_names(book: Book) -> None:
    pairs = {
        (row["first_born"].upper(), row["second_born"].upper())
        for row in table("twin_names.csv", "app.population")
    }
    acts = book[1]
    first = [at for at, act in enumerate(acts) if act.get("order") == 1]
    assert first
    assert sum(act["multiple"] == "twin" for act in acts) == 2 * len(first)
    for at in first:
        one, other = acts[at], acts[at + 1]
        assert (one["nom"], other["nom"]) in pairs
        assert other["order"] == 2
        assert (one["mother_name"], one["birth_date"]) == (other["mother_name"], other["birth_date"])


def test_no_value_is_doubtful_to_the_protocol_and_no_field_is_unknown_to_the_act(book: Book) -> None:
    codes = {"commune": {COMMUNE}}
    for act in book[1]:
        birth = {name: value for name, value in act.items() if name not in OF_THE_BOOK}
        assert doubtful_fields("birth", birth, codes) == []
        assert "mother_quartier" not in act


def test_every_line_names_a_mother_and_few_lack_a_father(book: Book) -> None:
    acts = book[1]
    assert all(act["mother_name"] for act in acts)
    assert 0 < sum("father_name" not in act for act in acts) / len(acts) < 0.1


def test_the_same_seed_gives_the_same_book_and_another_seed_another() -> None:
    first = list(lines(SEED, 0.005))
    assert list(lines(SEED, 0.005)) == first
    assert list(lines(SEED + 1, 0.005)) != first
    assert [orjson.loads(orjson.dumps(act)) for act in first] == first


def waited(act: dict[str, Any]) -> int:
    """Days from birth to declaration."""
    return (date.fromisoformat(act["declared_on"]) - date.fromisoformat(act["birth_date"])).days
