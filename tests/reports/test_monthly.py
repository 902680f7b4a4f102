"""The monthly report counts men, women, boys and girls by the parents' nationality and by mode, and guesses nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.reports.monthly import origin_of, who_is
from tests.nodes import TestNode
from tests.reports.conftest import COMMUNE, OFFICE, Headers, acts_of_january, annul, key_in

# Counted by hand from the acts of tests/reports/conftest.py: (mode, origin) → men, women, boys, girls, undetermined.
JANUARY = {
    ("direct", "national"): (0, 0, 0, 0, 1),  # 11
    ("direct", "foreign"): (0, 0, 1, 0, 0),  # 4
    ("direct", "undetermined"): (0, 0, 1, 1, 0),  # 6; 5
    ("procuration", "national"): (0, 0, 1, 1, 0),  # 1; 2
    ("procuration", "mixed"): (0, 0, 0, 1, 0),  # 3
    ("judgment", "national"): (1, 1, 1, 0, 1),  # 7; 9; 8; 10
    ("transcription", "foreign"): (0, 0, 1, 0, 0),  # 12
    ("unknown", "national"): (0, 0, 0, 1, 0),  # 13
}


def report(node: TestNode, headers: Headers, **asked: str) -> dict[str, Any]:
    params = {"commune": COMMUNE, "month": "2026-01"} | asked
    answer = node.client.get("/v1/reports/monthly", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def table(found: dict[str, Any]) -> dict[tuple[str, str], tuple[int, ...]]:
    names = ("men", "women", "boys", "girls", "undetermined")
    return {
        (row["mode"], row["origin"]): tuple(row[name] for name in names)
        for row in found["rows"]
        if row["total"]
    }


def test_a_month_is_counted_as_by_hand(kintambo: TestNode, clerk: Headers) -> None:
    key_in(kintambo, *acts_of_january())
    found = report(kintambo, clerk)
    assert table(found) == JANUARY
    assert found["totals"] == {"men": 1, "women": 1, "boys": 5, "girls": 4, "undetermined": 2, "total": 13}
    assert found["by_delay"] == {"in_delay": 9, "out_of_delay": 4, "undetermined": 0}
    assert (found["annulled"], found["commune_name"]) == (0, "Kintambo")
    assert len(found["rows"]) == 24


def test_an_annulled_act_is_named_apart_and_not_counted(kintambo: TestNode, clerk: Headers) -> None:
    key_in(kintambo, *acts_of_january())
    annul(kintambo, 12)
    found = report(kintambo, clerk)
    assert table(found) == {key: row for key, row in JANUARY.items() if key[0] != "transcription"}
    assert (found["totals"]["total"], found["annulled"]) == (12, 1)


def test_only_acts_drawn_up_in_the_month_count(kintambo: TestNode, clerk: Headers) -> None:
    act = acts_of_january()[0]
    days = {"registered_on": "2026-02-01", "number": 90}
    key_in(kintambo, act, act | days, act | {"number": 91, "registered_on": "2026-01-31"})
    assert report(kintambo, clerk)["totals"]["total"] == 2
    assert report(kintambo, clerk, month="2026-02")["totals"]["total"] == 1
    assert report(kintambo, clerk, month="2025-12")["totals"]["total"] == 0


@pytest.mark.parametrize(
    ("mother", "father", "origin"),
    [
        ("CD", "CD", "national"),
        ("CD", "AO", "mixed"),
        ("AO", "CD", "mixed"),
        ("AO", "CG", "foreign"),
        ("CD", None, "undetermined"),
        (None, "AO", "undetermined"),
        (None, None, "undetermined"),
        ("indeterminate", "CD", "undetermined"),
        ("indeterminate", "indeterminate", "undetermined"),
    ],
)
def test_the_parents_declared_nationalities_say_where_a_child_is_counted(
    mother: str | None, father: str | None, origin: str
) -> None:
    assert origin_of(mother, father) == origin


@pytest.mark.parametrize(
    ("sex", "born", "precision", "on", "who"),
    [
        ("M", "2008-02-29", "day", "2026-02-28", "boys"),
        ("M", "2008-02-29", "day", "2026-03-01", "men"),
        ("F", "2008", "year", "2026-12-31", "women"),
        ("F", "2008", "year", "2026-12-30", "undetermined"),
        ("F", "2009", "year", "2026-12-31", "girls"),
        ("M", None, "unknown", "2026-01-01", "undetermined"),
        (None, "1980", "year", "2026-01-01", "undetermined"),
    ],
)
def test_an_adult_is_eighteen_the_day_the_act_is_drawn_up(
    sex: str | None, born: str | None, precision: str, on: str, who: str
) -> None:
    assert who_is(sex, born, precision=precision, on=on) == who


def test_another_commune_is_refused(kintambo: TestNode, clerk: Headers) -> None:
    for commune, status, code in (("CD-KN-008", 403, "other_commune"), ("CD-KN-999", 404, "commune_unknown")):
        params = {"commune": commune, "month": "2026-01"}
        answer = kintambo.client.get("/v1/reports/monthly", params=params, headers=clerk)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert OFFICE.startswith(COMMUNE)
