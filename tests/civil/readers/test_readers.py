"""A person asks the registrar who read her data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from tests.civil.conftest import Headers, household
from tests.nodes import PASSWORD, TestNode

ENTRY = {"office": "CD-KN-017-01", "volume": "1"}
WHY = {"Purpose": "demande%20de%20l%27int%C3%A9ress%C3%A9e"}


def readers(node: TestNode, person: str, headers: Headers, *, query: str = "") -> httpx.Response:
    return node.client.get(f"/v1/persons/{person}/readers{query}", headers=headers | WHY)


def routes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["route"] for each in answer.json()["items"]]


def test_a_child_is_told_who_read_its_record_and_its_act(
    kintambo: TestNode, clerk: Headers, registrar: Headers, declare: Callable[..., str]
) -> None:
    _, [mother] = household(kintambo, {"sex": "F"})
    birth = declare(mother=mother)
    act = kintambo.client.post(f"/v1/births/{birth}/registration", json=ENTRY, headers=registrar)
    child = act.json()["person"]
    kintambo.client.get(f"/v1/births/{birth}", headers=registrar)
    kintambo.client.get(
        f"/v1/persons/{child}", headers=clerk | {"Purpose": "inscription%20%C3%A0%20l%27%C3%A9cole"}
    )
    answer = readers(kintambo, child, registrar)
    by_act, *more = (each for each in answer.json()["items"] if each["kind"] == "birth")
    last = answer.json()["items"][-1]
    assert (by_act["route"], by_act["role"], more) == ("GET /v1/births/{id}", "registrar", [])
    assert (last["kind"], last["role"], last["purpose"]) == ("person", "clerk", "inscription à l'école")
    # The reading of the readers stands in the journal as well.
    assert routes(readers(kintambo, child, registrar))[-1] == "GET /v1/persons/{id}/readers"


def test_the_page_for_the_person_says_who_when_and_why_in_french(
    kintambo: TestNode, clerk: Headers, registrar: Headers
) -> None:
    _, [person] = household(kintambo, {"sex": "F", "prenom": "Grâce"})
    empty = readers(kintambo, person, registrar, query="?format=text")
    assert "Personne n'a lu ces données." in empty.text
    kintambo.client.get(f"/v1/persons/{person}", headers=clerk)
    printed = readers(kintambo, person, registrar | {"Accept": "text/plain"})
    assert printed.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Personne : Kapinga Grâce" in printed.text
    assert "02/02/2026 à 10:00 — Clerk" in printed.text
    assert "préposé à l'état civil — fiche de la personne — motif : « essai »" in printed.text
    assert len(printed.text.splitlines()) == 6


def test_what_was_read_under_an_id_that_was_merged_away_is_told_too(
    kintambo: TestNode, clerk: Headers, registrar: Headers
) -> None:
    _, [kept, twice] = household(kintambo, {"sex": "F"}, {"sex": "F"})
    seen = kintambo.client.get(f"/v1/persons/{twice}", headers=clerk)
    merged = kintambo.client.post(
        f"/v1/persons/{twice}/merge", json={"into": kept}, headers=clerk | {"If-Match": seen.headers["etag"]}
    )
    assert merged.status_code == 200, merged.text
    for name in (kept, twice):
        found = readers(kintambo, name, registrar)
        assert "GET /v1/persons/{id}" in routes(found)


def test_the_list_goes_by_pages(kintambo: TestNode, clerk: Headers, registrar: Headers) -> None:
    _, [person] = household(kintambo, {"sex": "F"})
    for _ in range(5):
        kintambo.client.get(f"/v1/persons/{person}", headers=clerk)
    found: list[Any] = []
    query = "?limit=2"
    while True:
        page = readers(kintambo, person, registrar, query=query).json()
        found += page["items"]
        if page["next"] is None or len(found) >= 5:
            break
        query = f"?limit=2&cursor={page['next']}"
    assert [each["route"] for each in found[:5]] == ["GET /v1/persons/{id}"] * 5
    assert len({each["at"] for each in found}) == 1
    bad = readers(kintambo, person, registrar, query="?cursor=WyJhIl0")
    assert (bad.status_code, bad.json()["code"]) == (400, "bad_cursor")


def test_nobody_asks_who_read_without_saying_why_or_for_another_commune(
    kintambo: TestNode, registrar: Headers
) -> None:
    _, [person] = household(kintambo, {"sex": "F"})
    identity, username = kintambo.add_officer("registrar")
    silent = kintambo.client.post("/v1/sessions", json={"username": username, "password": PASSWORD}).json()[
        "token"
    ]
    headers = {"Authorization": f"Bearer {silent}"}
    address = f"/v1/persons/{person}/readers"
    refused = kintambo.client.get(address, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (428, "purpose_required")
    stranger = readers(kintambo, person, kintambo.officer("registrar", "CD-KN-008"))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "other_commune")
    unknown = readers(kintambo, identity, registrar)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "person_not_found")
