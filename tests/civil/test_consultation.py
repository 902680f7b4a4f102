"""Clerks read the books: pages in order, only their commune's, and every person read is in the journal."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.access.journal import readings_of
from app.database import Database
from tests.civil.conftest import Headers, household
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node, new

Declare = Callable[..., str]
ENTRY = {"office": "CD-KN-017-01", "volume": "1"}


def register(node: TestNode, headers: Headers, birth: str) -> dict[str, Any]:
    answer = node.client.post(f"/v1/births/{birth}/registration", json=ENTRY, headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def read(node: TestNode, headers: Headers, **query: str | int) -> list[str]:
    """The ids of all births a list shows, page by page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        parameters = query | ({"cursor": cursor} if cursor else {})
        answer = node.client.get("/v1/births", params=parameters, headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= int(query.get("limit", 100))
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


def test_the_last_declared_comes_first_page_after_page(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    births = [declare() for _ in range(5)]
    assert read(kintambo, clerk, limit=2) == births[::-1]
    assert read(kintambo, clerk, limit=5) == births[::-1]
    assert read(kintambo, clerk, commune="CD-KN-017") == births[::-1]


def test_the_year_is_that_of_the_register_or_else_of_the_declaration(
    kintambo: TestNode, declare: Declare
) -> None:
    late = declare(birth_date="2025-12-01", declared_on="2025-12-20")
    waiting = declare(birth_date="2025-12-01", declared_on="2025-12-31")
    today = declare()
    register(kintambo, kintambo.officer("registrar"), late)
    clerk = kintambo.officer("clerk")
    assert set(read(kintambo, clerk, year=2026)) == {late, today}
    assert read(kintambo, clerk, year=2025) == [waiting]
    assert read(kintambo, clerk, year=2024) == []


def test_births_are_found_by_their_delay_with_and_without_an_act(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    declared = {
        "in_delay": [declare(), declare()],
        "out_of_delay": [declare(birth_date="2020-01-01"), declare(birth_date="2020-01-02")],
        "undetermined": [declare(birth_date="2025-11", birth_precision="month")],
    }
    register(kintambo, registrar, declared["in_delay"][0])
    for delay, births in declared.items():
        assert set(read(kintambo, registrar, delay=delay, limit=1)) == set(births), delay
    answer = kintambo.client.get("/v1/births", params={"delay": "late"}, headers=registrar)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


def test_a_birth_is_shown_whole_with_its_act_and_its_tag_changes_with_it(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth = declare(mother_name="Marie Kapinga", witnesses=["Thérèse Ngalula"])
    path = f"/v1/births/{birth}"
    before = kintambo.client.get(path, headers=registrar)
    again = kintambo.client.get(path, headers=registrar)
    found = before.json()
    assert (found["act"], found["delay"], found["delay_days"]) == (None, "in_delay", 23)
    assert (found["mother_name"], found["witnesses"]) == ("Marie Kapinga", ["Thérèse Ngalula"])
    assert before.headers["etag"] == again.headers["etag"]
    act = register(kintambo, registrar, birth)
    after = kintambo.client.get(path, headers=registrar)
    assert after.headers["etag"] != before.headers["etag"]
    shown = after.json()["act"]
    expected = {"id": act["id"], "number": 1, "year": 2026, "origin": "registration", "judgment": None}
    assert {name: shown[name] for name in expected} == expected
    (item,) = kintambo.client.get("/v1/births", headers=registrar).json()["items"]
    assert (item["act"], item["delay_rule"]) == (shown, after.json()["delay_rule"])
    assert item["delay_article"] == after.json()["delay_article"] != ""


def test_what_a_tablet_declared_strangely_is_still_shown(kintambo: TestNode, clerk: Headers) -> None:
    birth = new("birth", {"nom": "N" * 300, "birth_date": "2026-02-30", "witnesses": {"un": "deux"}})
    with kintambo.database.write() as connection:
        kintambo.door.write(connection, [birth], by=str(uuid.uuid4()))
    found = kintambo.client.get(f"/v1/births/{birth['id']}", headers=clerk)
    assert found.status_code == 200
    assert (found.json()["nom"], found.json()["delay"]) == ("N" * 300, "undetermined")
    assert read(kintambo, clerk) == [birth["id"]]


def test_a_birth_nobody_declared_is_unknown(kintambo: TestNode, clerk: Headers) -> None:
    for birth in (str(uuid.uuid4()), "1", "0" * 36):
        answer = kintambo.client.get(f"/v1/births/{birth}", headers=clerk)
        assert (answer.status_code, answer.json()["code"]) == (404, "birth_unknown")


def test_a_cursor_somebody_made_up_is_refused(kintambo: TestNode, clerk: Headers) -> None:
    for cursor in ("x", "WzEsMiwzXQ", "WzEsMiwiYWEiXQ"):
        for path in ("/v1/births", "/v1/tasks"):
            answer = kintambo.client.get(path, params={"cursor": cursor}, headers=clerk)
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


def test_every_reading_of_a_persons_birth_is_in_the_journal(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    _, (mother,) = household(kintambo, {"relation": "head"})
    birth = declare(mother=mother)
    child = register(kintambo, registrar, birth)["person"]
    kintambo.client.get(f"/v1/births/{birth}", headers=registrar)
    kintambo.client.get("/v1/births", headers=registrar)
    with kintambo.database.read() as connection:
        journal = {
            each: [r.route for r in readings_of(connection, [each])] for each in (birth, child, mother)
        }
    both = ["GET /v1/births/{id}", "GET /v1/births"]
    assert journal == {birth: both, child: both, mother: both[:1]}


@pytest.fixture
def town(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """One server for the whole province."""
    return make_node(database, tmp_path, kind="both", commune="CD-KN-017", clock=clock)


def test_a_clerk_sees_only_the_births_and_tasks_of_her_own_commune(town: TestNode) -> None:
    births = {}
    registrars = {commune: town.officer("registrar", commune) for commune in ("CD-KN-017", "CD-KN-008")}
    for commune, registrar in registrars.items():
        body = {"nom": "Mbuyi", "birth_date": "2026-01-10"}
        births[commune] = town.client.post("/v1/births", json=body, headers=registrar).json()["id"]
        entry = {"office": f"{commune}-01", "volume": "1"}
        path = f"/v1/births/{births[commune]}/registration"
        assert town.client.post(path, json=entry, headers=registrar).status_code == 201
    clerk = town.officer("clerk", "CD-KN-008")
    assert read(town, clerk) == [births["CD-KN-008"]]
    tray = town.client.get("/v1/tasks", headers=clerk).json()["items"]
    assert [task["birth"] for task in tray] == [births["CD-KN-008"]]
    for path in (
        f"/v1/births/{births['CD-KN-017']}",
        "/v1/births?commune=CD-KN-017",
        "/v1/tasks?commune=CD-KN-017",
    ):
        answer = town.client.get(path, headers=clerk)
        assert (answer.status_code, answer.json()["code"]) == (403, "other_commune"), path
    unknown = town.client.get("/v1/births?commune=CD-KN-099", headers=clerk)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "commune_unknown")
    other = f"/v1/births/{births['CD-KN-017']}/registration"
    entry = {"office": "CD-KN-008-01", "volume": "1"}
    refused = town.client.post(other, json=entry, headers=registrars["CD-KN-008"])
    assert (refused.status_code, refused.json()["code"]) == (403, "other_commune")


def test_tasks_come_page_by_page_and_by_stage(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    made = [register(kintambo, registrar, declare())["task"] for _ in range(3)]
    first = kintambo.client.get("/v1/tasks", params={"limit": 2, "stage": "open"}, headers=registrar).json()
    rest = kintambo.client.get("/v1/tasks", params={"cursor": first["next"]}, headers=registrar).json()
    assert [task["id"] for task in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    done = kintambo.client.get("/v1/tasks", params={"stage": "done"}, headers=registrar).json()
    assert done == {"items": [], "next": None}


def test_two_acts_of_one_birth_show_it_once(kintambo: TestNode, declare: Declare, clerk: Headers) -> None:
    """Two servers may have drawn up an act each: no page shows the child twice."""
    birth = declare()
    acts = [
        new("act", {"birth": birth, "commune": "CD-KN-017", "number": n, "delay": "in_delay"}) for n in (1, 2)
    ]
    with kintambo.database.write() as connection:
        kintambo.door.write(connection, acts, by=str(uuid.uuid4()))
    (item,) = kintambo.client.get("/v1/births", headers=clerk).json()["items"]
    one = kintambo.client.get(f"/v1/births/{birth}", headers=clerk).json()
    assert item["act"] == one["act"] == {**one["act"], "id": min(act["id"] for act in acts)}


def test_the_delay_an_act_states_stands_even_when_the_law_is_read_differently_later(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    act = new(
        "act",
        {
            "birth": declare(),
            "commune": "CD-KN-017",
            "delay": "out_of_delay",
            "facts": {"delay_article": "art. X"},
        },
    )
    with kintambo.database.write() as connection:
        kintambo.door.write(connection, [act], by=str(uuid.uuid4()))
    (item,) = kintambo.client.get("/v1/births?delay=out_of_delay", headers=registrar).json()["items"]
    assert (item["delay"], item["delay_article"]) == ("out_of_delay", "art. X")
    assert read(kintambo, registrar, delay="in_delay") == []


def test_the_list_goes_on_after_a_later_declaration(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    births = [declare() for _ in range(3)]
    page = kintambo.client.get("/v1/births", params={"limit": 2}, headers=clerk).json()
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(minutes=1))
    declare()
    rest = kintambo.client.get("/v1/births", params={"cursor": page["next"]}, headers=clerk).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == births[::-1]
