"""A clerk closes a task: the child was found, or somebody looked and says so."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.access.journal import readings_of
from tests.civil.conftest import Headers, household, row, rows
from tests.nodes import TestNode

Declare = Callable[..., str]
Close = Callable[..., httpx.Response]


@pytest.fixture
def act(kintambo: TestNode, declare: Declare, registrar: Headers) -> dict[str, Any]:
    """A registered child whose mother is not in the register."""
    entry = {"office": "CD-KN-017-01", "volume": "3"}
    answer = kintambo.client.post(f"/v1/births/{declare()}/registration", json=entry, headers=registrar)
    assert answer.json()["task"] is not None
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def close(kintambo: TestNode, act: dict[str, Any], clerk: Headers) -> Close:
    def closing(headers: Headers | None = None, *, task: str | None = None, **body: Any) -> httpx.Response:
        address = f"/v1/tasks/{task or act['task']}/done"
        return kintambo.client.post(address, json=body, headers=headers or clerk)

    return closing


def birth_file(node: TestNode, headers: Headers, birth: str) -> httpx.Response:
    return node.client.get(f"/v1/births/{birth}", headers=headers)


def test_the_child_found_at_a_relatives_is_linked_to_its_act_both_ways(
    kintambo: TestNode, act: dict[str, Any], clerk: Headers, close: Close
) -> None:
    home, (child,) = household(kintambo, {"nom": "Mbui", "relation": "grandchild", "birth_date": "2026"})
    before = birth_file(kintambo, clerk, act["birth"])
    assert before.json()["act"]["person"] is None
    answer = close(person=child, note="Chez sa grand-mère.")
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert (done["stage"], done["note"], done["what"]) == (
        "done",
        "Chez sa grand-mère.",
        "child_without_household",
    )
    assert (done["person"], done["household"], done["act"]) == (child, home, act["id"])
    person = row(kintambo, "person", child)
    assert (person["nom"], person["birth_date"], person["relation"]) == ("Mbuyi", "2026-01-10", "grandchild")
    assert (person["birth_act"], person["birth_act_ref"]) == ("seen", "CD-KN-017-01 vol. 3/2026 n° 1")
    (link,) = rows(kintambo, "link")
    assert (link["act"], link["birth"], link["person"], link["household"]) == (
        act["id"],
        act["birth"],
        child,
        home,
    )
    after = birth_file(kintambo, clerk, act["birth"])
    assert after.json()["act"]["person"] == child
    assert after.headers["etag"] != before.headers["etag"]
    (listed,) = kintambo.client.get("/v1/births", headers=clerk).json()["items"]
    assert listed["act"]["person"] == child
    with kintambo.database.read() as connection:
        assert "POST /v1/tasks/{id}/done" in [each.route for each in readings_of(connection, [child])]


def test_a_task_done_leaves_the_open_ones_and_is_done_once(
    kintambo: TestNode, act: dict[str, Any], clerk: Headers, close: Close
) -> None:
    _, (child,) = household(kintambo, {"nom": "Mbuyi"})
    first = close(note="La famille est partie à Boma.")
    assert first.status_code == 200, first.text
    again = close(note="autre", person=child)
    assert (again.status_code, again.json()) == (200, first.json())
    assert rows(kintambo, "link") == []
    tray = {
        stage: kintambo.client.get("/v1/tasks", params={"stage": stage}, headers=clerk).json()["items"]
        for stage in ("open", "done")
    }
    assert (tray["open"], [each["id"] for each in tray["done"]]) == ([], [act["task"]])


def test_the_child_of_an_act_must_be_a_resident_without_another_act(
    kintambo: TestNode, act: dict[str, Any], close: Close, declare: Declare, registrar: Headers
) -> None:
    _, (mother, gone) = household(kintambo, {"relation": "head"}, {"status": "moved"})
    for person in (gone, str(uuid.uuid4()), "12"):
        answer = close(person=person)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "person")
    entry = {"office": "CD-KN-017-01", "volume": "3"}
    path = f"/v1/births/{declare(mother=mother)}/registration"
    sibling = kintambo.client.post(path, json=entry, headers=registrar).json()["person"]
    refused = close(person=sibling)
    assert (refused.status_code, refused.json()["code"]) == (409, "person_has_act")
    assert row(kintambo, "task", act["task"])["stage"] == "open"


def test_only_the_clerks_of_the_commune_close_its_tasks(
    kintambo: TestNode, act: dict[str, Any], close: Close
) -> None:
    refused = {
        "role_forbidden": close(kintambo.officer("supervisor")),
        "other_commune": close(kintambo.officer("clerk", "CD-KN-008")),
        "task_unknown": close(task=act["birth"]),
    }
    assert {code: answer.json()["code"] for code, answer in refused.items()} == {
        code: code for code in refused
    }
    assert close(task="12").status_code == 404
    assert row(kintambo, "task", act["task"])["stage"] == "open"


def test_an_unknown_field_of_a_declaration_is_null_like_that_of_a_person(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    shown = birth_file(kintambo, clerk, declare(mother_name="Kapinga")).json()
    assert (shown["mother_name"], shown["father_name"], shown["witnesses"]) == ("Kapinga", None, None)
    document = kintambo.client.get("/openapi.json").json()["components"]["schemas"]["BirthOut"]
    assert document["properties"].keys() == shown.keys()
