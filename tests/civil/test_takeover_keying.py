"""Pages keyed by two officers: what both keyed alike enters, what differs waits for a third who reads the paper."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.civil.conftest import Headers, rows
from tests.civil.test_takeover import brought, line, table
from tests.nodes import TestNode


@pytest.fixture
def keyers(kintambo: TestNode) -> tuple[Headers, Headers]:
    """Two clerks, Clerk1 and Clerk2."""
    return kintambo.officer("clerk"), kintambo.officer("clerk")


@pytest.fixture
def arbiter(kintambo: TestNode, keyers: tuple[Headers, Headers]) -> Headers:
    """A registrar who keyed nothing."""
    return kintambo.officer("registrar")


PAGES_ONE = (line(1), line(2), line(3, Nom="Mbuyi"), line(4), line(6, **{"Date de naissance": "31/02/2011"}))
PAGES_TWO = (line(1), line(2, Nom="Ilonga"), line(3, Nom="Mbuya", Sexe="F"), line(5), line(6))


def compare(node: TestNode, keyers: tuple[Headers, Headers], **asked: Any) -> httpx.Response:
    files = [
        brought(node, who, table(*pages))["id"]
        for who, pages in zip(keyers, (PAGES_ONE, PAGES_TWO), strict=True)
    ]
    body = {"name": "2011, volume 1", "first": files[0], "second": files[1]} | asked
    return node.client.post("/v1/keyings", json=body, headers=keyers[0])


def compared(node: TestNode, keyers: tuple[Headers, Headers]) -> dict[str, Any]:
    answer = compare(node, keyers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rule(node: TestNode, who: Headers, keying: str, number: int, **values: Any) -> httpx.Response:
    body = {"office": "CD-KN-017-01", "year": 2011, "volume": "1", "number": number, "values": values}
    return node.client.post(f"/v1/keyings/{keying}/arbitration", json=body, headers=who)


def waiting(node: TestNode, who: Headers, keying: str) -> list[dict[str, Any]]:
    answer = node.client.get(f"/v1/keyings/{keying}/differences", headers=who)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_equal_lines_enter_with_the_names_of_both_who_keyed_them(
    kintambo: TestNode, keyers: tuple[Headers, Headers], arbiter: Headers
) -> None:
    found = compared(kintambo, keyers)
    assert found["states"] == {"equal": 1, "differs": 3, "first_only": 1, "second_only": 1}
    done = kintambo.client.post(f"/v1/keyings/{found['id']}/run", headers=arbiter)
    assert done.json()["states"] == {"entered": 1, "differs": 3, "first_only": 1, "second_only": 1}
    (act,) = rows(kintambo, "act")
    assert (act["number"], json.loads(act["facts"])["keyed_by"]) == (1, ["Clerk1", "Clerk2"])


def test_what_differs_is_shown_field_by_field_and_missing_lines_are_listed(
    kintambo: TestNode, keyers: tuple[Headers, Headers], arbiter: Headers
) -> None:
    found = compared(kintambo, keyers)
    listed = {each["number"]: each for each in waiting(kintambo, arbiter, found["id"])}
    assert {number: each["state"] for number, each in listed.items()} == {
        2: "differs", 3: "differs", 4: "first_only", 5: "second_only", 6: "differs",
    }  # fmt: skip
    assert listed[2]["fields"] == [{"field": "nom", "first": "Ilunga", "second": "Ilonga"}]
    assert [each["field"] for each in listed[3]["fields"]] == ["nom", "sex"]
    assert listed[6]["fields"] == [{"field": "birth_date", "first": "31/02/2011", "second": "2011-06-01"}]


def test_a_third_person_says_what_the_paper_reads_and_the_act_names_all_three(
    kintambo: TestNode, keyers: tuple[Headers, Headers], arbiter: Headers
) -> None:
    identity = compared(kintambo, keyers)["id"]
    for who in keyers:
        own = rule(kintambo, who, identity, 2, nom="Ilunga")
        assert (own.status_code, own.json()["code"]) == (409, "keyed_by_one")
    incomplete = rule(kintambo, arbiter, identity, 3, nom="Mbuyi")
    assert (incomplete.status_code, incomplete.json()["fields"]) == (422, ["sex"])
    impossible = rule(kintambo, arbiter, identity, 6, birth_date="31/02/2011")
    assert (impossible.status_code, impossible.json()["code"]) == (422, "invalid_input")
    for number, values in (
        (2, {"nom": "Ilunga"}), (3, {"nom": "Mbuya", "sex": "garçon"}), (4, {}), (6, {"birth_date": "02/06/2011"}),
    ):  # fmt: skip
        assert rule(kintambo, arbiter, identity, number, **values).status_code == 200
    unknown = rule(kintambo, arbiter, identity, 99)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "keyed_line_unknown")
    done = kintambo.client.post(f"/v1/keyings/{identity}/run", headers=arbiter).json()
    assert done["states"] == {"entered": 5, "second_only": 1}
    acts = {act["number"]: act for act in rows(kintambo, "act")}
    assert {number: (act["nom"], act["sex"]) for number, act in acts.items()} == {
        1: ("Ilunga", "M"), 2: ("Ilunga", "M"), 3: ("Mbuya", "M"), 4: ("Ilunga", "M"), 6: ("Ilunga", "M"),
    }  # fmt: skip
    assert acts[6]["birth_date"] == "2011-06-02"
    assert json.loads(acts[2]["facts"])["arbitrated_by"] == "Registrar3"
    assert "arbitrated_by" not in json.loads(acts[1]["facts"])
    again = rule(kintambo, arbiter, identity, 2, nom="Autre")
    assert again.status_code == 404


def test_the_error_rate_of_each_officer_is_shown(
    kintambo: TestNode, keyers: tuple[Headers, Headers], arbiter: Headers
) -> None:
    """Four lines were keyed twice, eight fields each; four fields differ: nom, nom and sex, birth_date."""
    identity = compared(kintambo, keyers)["id"]
    rule(kintambo, arbiter, identity, 2, nom="Ilunga")
    rule(kintambo, arbiter, identity, 3, nom="Mbuya", sex="M")
    found = kintambo.client.get(f"/v1/keyings/{identity}", headers=arbiter).json()
    assert (found["fields"], found["differing"], found["rate"], found["waiting_fields"]) == (32, 4, 0.125, 1)
    assert found["keyers"] == [
        {"name": "Clerk1", "wrong": 1, "rate": 0.03125, "missing_lines": 1},
        {"name": "Clerk2", "wrong": 2, "rate": 0.0625, "missing_lines": 1},
    ]


def test_one_person_cannot_be_both_keyers(kintambo: TestNode, keyers: tuple[Headers, Headers]) -> None:
    answer = compare(kintambo, (keyers[0], keyers[0]))
    assert (answer.status_code, answer.json()["code"]) == (409, "keyed_by_one")


def test_a_file_of_a_double_keying_enters_only_through_it(
    kintambo: TestNode, keyers: tuple[Headers, Headers], arbiter: Headers
) -> None:
    found = compared(kintambo, keyers)
    alone = kintambo.client.post(
        f"/v1/imports/{found['first']}/run", json={"skip_wrong": True}, headers=arbiter
    )
    assert (alone.status_code, alone.json()["code"]) == (409, "import_in_keying")
    twice = compare(kintambo, keyers)
    assert (twice.status_code, twice.json()["code"]) == (409, "not_two_keyings")
    assert rows(kintambo, "act") == []


def test_a_line_whose_number_was_given_to_another_child_meanwhile_waits_again(
    kintambo: TestNode, keyers: tuple[Headers, Headers], arbiter: Headers
) -> None:
    identity = compared(kintambo, keyers)["id"]
    other = brought(kintambo, arbiter, table(line(1, Nom="Kanku")))
    kintambo.client.post(f"/v1/imports/{other['id']}/run", json={}, headers=arbiter)
    done = kintambo.client.post(f"/v1/keyings/{identity}/run", headers=arbiter).json()
    assert done["states"]["taken"] == 1
    (taken,) = [each for each in waiting(kintambo, arbiter, identity) if each["state"] == "taken"]
    assert (taken["number"], taken["errors"][0]["field"]) == (1, "number")
    assert [act["nom"] for act in rows(kintambo, "act")] == ["Kanku"]


def test_reading_the_differences_is_journalled(
    kintambo: TestNode, keyers: tuple[Headers, Headers], arbiter: Headers
) -> None:
    from app.access.journal import readings_of

    identity = compared(kintambo, keyers)["id"]
    waiting(kintambo, arbiter, identity)
    with kintambo.database.read() as connection:
        (reading,) = readings_of(connection, [identity])
    assert (reading.kind, reading.route) == ("keying", "GET /v1/keyings/{id}/differences")
