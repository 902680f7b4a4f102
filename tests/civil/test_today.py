"""A server that may have the wrong date draws up no act until an administrator confirms the date."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.ledger.tables import node as node_row
from tests.civil.conftest import Headers, rows
from tests.nodes import TestNode

Declare = Callable[..., str]


@pytest.fixture
def register(kintambo: TestNode) -> Callable[[str], httpx.Response]:
    def ask(birth: str) -> httpx.Response:
        entry = {"office": "CD-KN-017-01", "volume": "1"}
        headers = kintambo.officer("registrar")
        return kintambo.client.post(f"/v1/births/{birth}/registration", json=entry, headers=headers)

    return ask


def confirm(node: TestNode, day: str) -> httpx.Response:
    return node.client.post("/v1/clock/confirmation", json={"date": day}, headers=node.officer("admin"))


def ahead_of_province(node: TestNode, seconds: float) -> None:
    with node.database.write() as connection:
        connection.execute(node_row.update().values(upstream_offset=seconds))


def test_a_clock_behind_what_was_stored_stops_registration_until_it_is_confirmed(
    kintambo: TestNode, declare: Declare, register: Callable[[str], httpx.Response]
) -> None:
    first, second = declare(), declare()
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(seconds=-60))
    assert register(first).status_code == 201
    clock.forward(timedelta(seconds=-1))
    refused = register(second)
    assert (refused.status_code, refused.json()["code"]) == (409, "clock_unsure")
    assert "02/02/2026" in refused.json()["detail"]
    wrong = confirm(kintambo, "2026-02-03")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "clock_date_differs")
    assert register(second).status_code == 409
    confirmed = confirm(kintambo, "2026-02-02")
    assert confirmed.status_code == 201, confirmed.text
    assert confirmed.json()["holds_until"] == "2026-02-03T08:58:59.000Z"
    assert register(second).status_code == 201


def test_a_confirmation_is_written_down_with_its_author(kintambo: TestNode, declare: Declare) -> None:
    assert confirm(kintambo, "2026-02-02").status_code == 201
    (confirmation,) = rows(kintambo, "clock")
    assert confirmation["confirmed_at"] == "2026-02-02T09:00:00.000Z"
    assert confirmation["node"] == kintambo.door.identity.dev
    with kintambo.database.read() as connection:
        query = f"SELECT role FROM officer WHERE id = '{confirmation['confirmed_by']}'"
        assert connection.exec_driver_sql(query).scalar_one() == "admin"
    assert kintambo.door.standing.clock_confirmed_at == "2026-02-02T09:00:00.000Z"


def test_a_day_ahead_of_the_province_is_the_limit(
    kintambo: TestNode, declare: Declare, register: Callable[[str], httpx.Response]
) -> None:
    first, second = declare(), declare()
    ahead_of_province(kintambo, 86_400.0)
    assert register(first).status_code == 201
    ahead_of_province(kintambo, 86_401.0)
    assert (register(second).status_code, register(second).json()["code"]) == (409, "clock_unsure")
    confirm(kintambo, "2026-02-02")
    assert register(second).status_code == 201


def test_a_clock_behind_the_province_draws_up_acts(
    kintambo: TestNode, declare: Declare, register: Callable[[str], httpx.Response]
) -> None:
    ahead_of_province(kintambo, -500_000.0)
    assert register(declare()).status_code == 201


def test_a_confirmation_ends_when_the_clock_jumps_on_or_falls_back(
    kintambo: TestNode, declare: Declare, register: Callable[[str], httpx.Response]
) -> None:
    births = [declare() for _ in range(4)]
    ahead_of_province(kintambo, 200_000.0)
    confirm(kintambo, "2026-02-02")
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(hours=24))
    assert register(births[0]).status_code == 201
    clock.forward(timedelta(seconds=1))
    assert register(births[1]).status_code == 409
    clock.forward(timedelta(hours=-24, seconds=-61))
    assert register(births[2]).status_code == 201
    clock.forward(timedelta(seconds=-1))
    assert register(births[3]).status_code == 409


def test_only_an_administrator_confirms_the_date(kintambo: TestNode, registrar: Headers) -> None:
    answer = kintambo.client.post("/v1/clock/confirmation", json={"date": "2026-02-02"}, headers=registrar)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_forbidden")
