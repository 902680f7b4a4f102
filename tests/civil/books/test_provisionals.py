"""No register is at hand for months: families are received all the same, and the day they came judges the delay."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from app.access.journal import readings_of
from tests.civil.conftest import BOOK, Headers, code, register, row, rows
from tests.nodes import TestNode

Declare = Callable[..., str]


def provisional(node: TestNode, headers: Headers, birth: str, **values: Any) -> httpx.Response:
    body = {"office": BOOK["office"], "reason": "Plus de registre."} | values
    return node.client.post(f"/v1/births/{birth}/provisional", json=body, headers=headers)


def tray(node: TestNode, headers: Headers, **asked: Any) -> list[dict[str, Any]]:
    answer = node.client.get("/v1/provisionals", params={"stage": "waiting"} | asked, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_mother_who_came_on_day_80_is_in_delay_when_the_act_is_drawn_up_on_day_200(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare(birth_date="2025-11-14", declared_on="2026-02-02")
    made = provisional(kintambo, clerk, birth)
    assert made.status_code == 201, made.text
    found = made.json()
    expected = {"number": 1, "year": 2026, "stage": "waiting", "declared_on": "2026-02-02", "days_waiting": 0}
    assert {name: found[name] for name in expected} == expected
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(days=120))
    registrar = kintambo.officer("registrar")
    (waiting,) = tray(kintambo, registrar)
    assert (waiting["birth"], waiting["days_waiting"], waiting["nom"]) == (birth, 120, "Mbuyi")
    act = register(kintambo, registrar, birth).json()
    assert (act["delay"], act["delay_days"], act["registered_on"]) == ("in_delay", 80, "2026-06-02")
    assert tray(kintambo, registrar) == []
    (numbered,) = tray(kintambo, registrar, stage="numbered")
    assert (numbered["act"], numbered["numbered_on"]) == (act["id"], "2026-06-02")
    clock.forward(timedelta(days=1))
    later = tray(kintambo, kintambo.officer("clerk"), stage="numbered")
    assert later[0]["days_waiting"] == 120
    stored = row(kintambo, "provisional", found["id"])
    assert (stored["number"], stored["reason"], stored["extra"]) == (1, "Plus de registre.", None)


def test_provisional_numbers_follow_one_another_and_are_never_given_again(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    births = [declare() for _ in range(4)]
    assert [provisional(kintambo, clerk, birth).json()["number"] for birth in births[:2]] == [1, 2]
    for birth in births[:2]:
        register(kintambo, registrar, birth)
    assert provisional(kintambo, clerk, births[2]).json()["number"] == 3
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(days=333))
    found = provisional(kintambo, kintambo.officer("clerk"), births[3]).json()
    assert (found["year"], found["number"]) == (2027, 1)


def test_two_counters_at_once_never_give_the_same_provisional_number(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    births = [declare() for _ in range(6)]
    work = [threading.Thread(target=provisional, args=(kintambo, clerk, birth)) for birth in births]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert sorted(each["number"] for each in rows(kintambo, "provisional")) == [1, 2, 3, 4, 5, 6]


def test_a_birth_waits_under_one_number_only_and_not_after_its_act(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    birth = declare()
    first = provisional(kintambo, clerk, birth).json()
    again = provisional(kintambo, clerk, birth)
    assert (code(again), again.json()["provisional"]) == ((409, "already_provisional"), first["id"])
    register(kintambo, registrar, birth)
    assert code(provisional(kintambo, clerk, birth)) == (409, "already_registered")
    assert len(rows(kintambo, "provisional")) == 1


def test_a_counter_whose_line_fell_gets_the_same_number_again(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth, headers = declare(), clerk | {"Idempotency-Key": "provisoire-1"}
    first, again = provisional(kintambo, headers, birth), provisional(kintambo, headers, birth)
    assert (first.status_code, again.content) == (201, first.content)


def test_a_provisional_number_is_of_an_office_of_the_births_own_commune(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare()
    for office in ("CD-KN-008-01", "CD-KN-017-77"):
        assert code(provisional(kintambo, clerk, birth, office=office)) == (422, "invalid_input")
    assert code(provisional(kintambo, clerk, str(uuid.uuid4()))) == (404, "birth_unknown")
    stranger = kintambo.officer("clerk", "CD-KN-008")
    assert code(provisional(kintambo, stranger, birth)) == (403, "other_commune")
    assert rows(kintambo, "provisional") == []


def test_the_tray_shows_who_waits_longest_first_page_by_page_and_says_who_read_it(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    clock: Any = kintambo.node.clock
    births = [declare() for _ in range(3)]
    for birth in births:
        provisional(kintambo, clerk, birth)
        clock.forward(timedelta(hours=1))
    pages: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = kintambo.client.get("/v1/provisionals", params=params, headers=clerk).json()
        pages += [each["birth"] for each in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert sorted(pages) == sorted(births)
    other = kintambo.client.get("/v1/provisionals", headers=kintambo.officer("clerk", "CD-KN-008"))
    assert other.json()["items"] == []
    with kintambo.database.read() as connection:
        routes = [each.route for each in readings_of(connection, [births[0]])]
    assert "GET /v1/provisionals" in routes
