"""What is irregular in a year's numbers is told, number by number, and nothing is filled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.civil.books.gaps import findings
from app.law.registers import Numbering
from tests.civil.books.test_numbering import held
from tests.civil.conftest import BOOK, Headers, code, open_volume, register, rows
from tests.nodes import TestNode

Declare = Callable[..., str]
Told = tuple[str, str | None, int | None, int | None]


def act(
    number: int, day: str = "2026-01-05", *, volume: str = "1", folio: str | None = None
) -> dict[str, Any]:
    identity = f"{volume}/{number}/{day}"
    return {"id": identity, "volume": volume, "number": number, "folio": folio, "registered_on": day}


def book(volume: str = "1", **values: Any) -> dict[str, Any]:
    return {
        "id": f"volume {volume}",
        "volume": volume,
        "sheets": 534,
        "closed_on": None,
        "acts": None,
    } | values


ACTS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], Numbering, list[Told]]] = {
    "a good year": ([act(1), act(2), act(3)], [book()], "per_year", []),
    "nothing yet": ([], [book()], "per_year", []),
    "two holes and a late start": (
        [act(3), act(4), act(6), act(10)],
        [book()],
        "per_year",
        [("number_missing", None, 1, 2), ("number_missing", None, 5, 5), ("number_missing", None, 7, 9)],
    ),
    "a slip of the pen": (
        [act(1), act(999_999)],
        [book()],
        "per_year",
        [("number_missing", None, 2, 999_998)],
    ),
    "one number twice": (
        [act(1), act(1, "2026-01-06", volume="2"), act(2, "2026-01-07")],
        [book(), book("2")],
        "per_year",
        [("number_doubled", None, 1, 1)],
    ),
    "each volume from 1": (
        [act(1), act(1, volume="2"), act(2), act(2, volume="2")],
        [book(), book("2")],
        "per_volume",
        [],
    ),
    "a hole in the second volume": (
        [act(1), act(1, volume="2"), act(2), act(3, volume="2")],
        [book(), book("2")],
        "per_volume",
        [("number_missing", "2", 2, 2)],
    ),
    "dated before the one in front": (
        [act(1, "2026-01-09"), act(2, "2026-01-08"), act(3, "2026-01-07"), act(4, "2026-01-09")],
        [book()],
        "per_year",
        [("out_of_date_order", None, 2, 2), ("out_of_date_order", None, 3, 3)],
    ),
    "more acts than sheets": (
        [act(number) for number in range(1, 6)],
        [book(sheets=3)],
        "per_year",
        [("beyond_sheets", "1", 4, 5)],
    ),
    "a folio that is not there": (
        [act(1, folio="2"), act(2, folio="4"), act(3, folio="12 bis")],
        [book(sheets=3)],
        "per_year",
        [("folio_beyond_sheets", "1", 2, 2)],
    ),
    "a volume nobody opened": (
        [act(1), act(2, volume="2"), act(3, volume="2")],
        [book()],
        "per_year",
        [("volume_not_opened", "2", 2, 3)],
    ),
    "an act after the closing": (
        [act(1), act(2)],
        [book(closed_on="2026-12-31", acts=1)],
        "per_year",
        [("changed_after_closing", "1", None, None)],
    ),
}


@pytest.mark.parametrize("name", ACTS)
def test_an_inspector_is_told_what_is_irregular(name: str) -> None:
    acts, books, numbering, expected = ACTS[name]
    found = findings(acts, books, numbering=numbering, sheets=534)
    assert [(each.code, each.volume, each.first, each.last) for each in found] == expected


def test_the_acts_that_share_a_number_are_named() -> None:
    (found,) = findings([act(1), act(1, "2026-02-01")], [book()], numbering="per_year", sheets=None)
    assert found.acts == ["1/1/2026-01-05", "1/1/2026-02-01"]
    assert found.message == "Le numéro 1 est porté par 2 actes dans l'année."


def asked(node: TestNode, headers: Headers, **more: Any) -> dict[str, Any]:
    params = {"office": BOOK["office"], "year": 2026} | more
    answer = node.client.get("/v1/registers/gaps", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_hole_left_by_paper_acts_is_told_and_stays(
    kintambo: TestNode, declare: Declare, registrar: Headers, clerk: Headers
) -> None:
    open_volume(kintambo, registrar)
    held(kintambo, 1, 2, 6)
    assert register(kintambo, registrar, declare()).json()["number"] == 7
    (found,) = asked(kintambo, clerk)["items"]
    assert (found["code"], found["first"], found["last"]) == ("number_missing", 3, 5)
    assert found["message"] == "Les numéros 3 à 5 manquent dans l'année."
    assert sorted(each["number"] for each in rows(kintambo, "act")) == [1, 2, 6, 7]
    assert asked(kintambo, clerk, year=2025)["items"] == []


def test_the_findings_come_page_by_page(kintambo: TestNode, registrar: Headers) -> None:
    open_volume(kintambo, registrar)
    held(kintambo, 2, 4, 6)
    first = asked(kintambo, registrar, limit=2)
    rest = asked(kintambo, registrar, limit=2, cursor=first["next"])
    assert [each["first"] for each in (*first["items"], *rest["items"])] == [1, 3, 5]
    assert rest["next"] is None


def test_nobody_asks_for_the_numbers_of_another_commune(kintambo: TestNode, registrar: Headers) -> None:
    def refused(**params: Any) -> tuple[int, str]:
        params = {"office": BOOK["office"], "year": 2026} | params
        return code(kintambo.client.get("/v1/registers/gaps", params=params, headers=registrar))

    assert refused(office="CD-KN-008-01") == (403, "other_commune")
    assert refused(office="CD-KN-017-99") == (404, "office_unknown")
    assert refused(cursor="WyJhIl0") == (400, "bad_cursor")
    assert refused(cursor="Wy0xXQ") == (400, "bad_cursor")
