"""The record of a volume says how many acts it holds and which numbers are missing between the first and the last."""

from __future__ import annotations

from typing import Any

from app.reports.closing import gaps
from tests.nodes import TestNode
from tests.reports.conftest import Headers, acts_of_january, annul, key_in, open_book


def record(node: TestNode, headers: Headers, book: str) -> dict[str, Any]:
    answer = node.client.get("/v1/reports/closing", params={"book": book}, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_volume_is_counted_with_its_gaps(kintambo: TestNode, clerk: Headers) -> None:
    acts = [act for act in acts_of_january() if act["number"] not in (1, 4, 8, 9)]
    key_in(kintambo, *acts, acts[0] | {"volume": "2", "number": 99})
    annul(kintambo, 5)
    book = open_book(kintambo, closed_on="2026-01-31", closed_name="Paul Ilunga", statement="Clos et arrêté.")
    found = record(kintambo, clerk, book)
    assert (found["acts"], found["first_number"], found["last_number"]) == (9, 2, 13)
    assert found["gaps"] == [{"first": 4, "last": 4}, {"first": 8, "last": 9}]
    assert (found["doubled"], found["annulled"], found["state"]) == ([], 1, "closed")
    assert (found["closed_name"], found["statement"]) == ("Paul Ilunga", "Clos et arrêté.")


def test_an_open_volume_without_acts_is_told_too(kintambo: TestNode, clerk: Headers) -> None:
    found = record(kintambo, clerk, open_book(kintambo))
    assert (found["state"], found["acts"], found["first_number"], found["gaps"]) == ("open", 0, None, [])


def test_missing_numbers_are_told_as_stretches() -> None:
    assert gaps([3, 4, 7, 9, 9]) == [(5, 6), (8, 8)]
    assert gaps([]) == gaps([5]) == gaps([5, 6]) == []


def test_a_volume_of_another_commune_is_refused(kintambo: TestNode, clerk: Headers) -> None:
    other = open_book(kintambo, commune="CD-KN-008", office="CD-KN-008-01")
    for book, status, code in ((other, 403, "other_commune"), ("x", 404, "register_unknown")):
        answer = kintambo.client.get("/v1/reports/closing", params={"book": book}, headers=clerk)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
