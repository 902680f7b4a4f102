"""The year's index names every act in the order of the alphabet, and every reading of it is written down."""

from __future__ import annotations

from typing import Any

from app.access.journal import readings_of
from tests.civil.conftest import rows
from tests.nodes import TestNode
from tests.reports.conftest import COMMUNE, OFFICE, Headers, acts_of_january, annul, key_in

NAMES = [
    ("Élisa", None, None), ("Zola", "Mbo", "Anne"), ("elisa", "Aba", None), ("Zola", "Mbo", "Ange"), (None, None, None),
    ("Kanku", None, "Paul"),
]  # fmt: skip


def keyed(node: TestNode) -> None:
    first = {name: value for name, value in acts_of_january()[0].items() if name != "nom"}
    for number, names in enumerate(NAMES, 1):
        said = {name: value for name, value in zip(("nom", "postnom", "prenom"), names, strict=True) if value}
        key_in(node, first | {"number": number, "folio": str(number)} | said)


def index(node: TestNode, headers: Headers, **asked: Any) -> dict[str, Any]:
    answer = node.client.get(
        "/v1/reports/index", params={"office": OFFICE, "year": 2026} | asked, headers=headers
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_names_stand_in_the_order_of_the_alphabet_whatever_their_accents(
    kintambo: TestNode, clerk: Headers
) -> None:
    keyed(kintambo)
    annul(kintambo, 6)
    found = index(kintambo, clerk)
    assert [each["number"] for each in found["items"]] == [1, 3, 6, 4, 2, 5]
    assert [each["annulled"] for each in found["items"]] == [False, False, True, False, False, False]
    first = found["items"][0]
    assert (first["nom"], first["volume"], first["folio"], first["registered_on"]) == (
        "Élisa",
        "1",
        "1",
        "2026-01-20",
    )


def test_the_index_comes_page_by_page_and_only_what_was_shown_is_journalled(
    kintambo: TestNode, clerk: Headers
) -> None:
    keyed(kintambo)
    first = index(kintambo, clerk, limit=4)
    assert [each["number"] for each in first["items"]] == [1, 3, 6, 4]
    births = {act["number"]: act["birth"] for act in rows(kintambo, "act")}
    with kintambo.database.read() as connection:
        read = {
            number: [each.route for each in readings_of(connection, [birth])]
            for number, birth in births.items()
        }
    assert read == {n: ["GET /v1/reports/index"] if n in {1, 3, 6, 4} else [] for n in range(1, 7)}
    rest = index(kintambo, clerk, limit=4, cursor=first["next"])
    assert ([each["number"] for each in rest["items"]], rest["next"], rest["acts"]) == ([2, 5], None, 6)


def test_an_office_of_another_commune_is_refused(kintambo: TestNode, clerk: Headers) -> None:
    for office, status, code in (("CD-KN-008-01", 403, "other_commune"), ("X", 404, "office_unknown")):
        params = {"office": office, "year": 2026}
        answer = kintambo.client.get("/v1/reports/index", params=params, headers=clerk)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert OFFICE.startswith(COMMUNE)
