"""Logging in and out, over HTTP."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.access import officers, tables
from app.database import Database
from tests.access.conftest import PASSWORD, AddOfficer, log_in
from tests.conftest import TestClock
from tests.web.client import InProcess


def test_a_clerk_logs_in_and_out(client: InProcess, database: Database, add: AddOfficer) -> None:
    add("mbuyi", "clerk")
    answer = client.post("/v1/sessions", json={"username": " MBUYI", "password": PASSWORD})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert {key: body[key] for key in ("expires_at", "role", "commune")} == {
        "expires_at": "2026-02-02T17:00:00.000Z",
        "role": "clerk",
        "commune": "CD-KN-017",
    }
    with database.read() as connection:
        stored = connection.execute(sa.select(tables.officer_session)).mappings().one()
    assert body["token"] not in str(dict(stored))

    headers = {"Authorization": f"Bearer {body['token']}"}
    assert client.delete("/v1/sessions/current", headers=headers).status_code == 204
    after = client.delete("/v1/sessions/current", headers=headers)
    assert (after.status_code, after.json()["code"]) == (401, "login_required")
    assert after.headers["WWW-Authenticate"] == "Bearer"


def test_unknown_closed_and_mistaken_get_the_same_answer(
    client: InProcess, database: Database, add: AddOfficer, clock: TestClock
) -> None:
    add("mbuyi", "clerk")
    closed = add("kalala", "clerk")
    with database.write() as connection:
        officers.disable(connection, closed.id, at=clock.now())
    answers = [
        client.post("/v1/sessions", json={"username": username, "password": password})
        for username, password in (("nobody", PASSWORD), ("kalala", PASSWORD), ("mbuyi", "wrong password!"))
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json()["code"] == "wrong_login"
    assert answers[0].content == answers[1].content == answers[2].content


def test_an_unknown_name_takes_the_time_of_a_known_one(client: InProcess, add: AddOfficer) -> None:
    add("mbuyi", "clerk")

    def processor_time(username: str) -> float:
        spent = []
        for _ in range(4):
            started = time.process_time()
            client.post("/v1/sessions", json={"username": username, "password": "wrong password!"})
            spent.append(time.process_time() - started)
        return min(spent)

    assert 0.5 < processor_time("nobody") / processor_time("mbuyi") < 2


def test_the_sixth_try_has_to_wait_but_only_for_that_person(client: InProcess, add: AddOfficer) -> None:
    add("mbuyi", "clerk")
    add("kalala", "clerk")
    for _ in range(5):
        assert client.post("/v1/sessions", json={"username": "mbuyi", "password": "wrong"}).status_code == 401
    refused = client.post("/v1/sessions", json={"username": "Mbuyi", "password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_tries")
    assert 1 <= int(refused.headers["Retry-After"]) <= 900
    log_in(client, "kalala")


def test_a_right_password_starts_the_count_again(client: InProcess, add: AddOfficer) -> None:
    add("mbuyi", "clerk")
    for _ in range(3):
        for _ in range(4):
            client.post("/v1/sessions", json={"username": "mbuyi", "password": "wrong"})
        log_in(client, "mbuyi")


@pytest.mark.parametrize("host", ["192.168.1.20", "2001:db8::1", "localhost.evil.example", ""])
def test_no_password_travels_in_the_clear_between_machines(
    application: FastAPI, add: AddOfficer, host: str
) -> None:
    add("mbuyi", "clerk")
    far = InProcess(application, host=host)
    login = {"username": "mbuyi", "password": PASSWORD}
    refused = far.post("/v1/sessions", json=login)
    assert (refused.status_code, refused.json()["code"]) == (403, "https_required")
    application.state.secure = True
    assert far.post("/v1/sessions", json=login).status_code == 201


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1"])
def test_the_servers_own_machine_needs_no_certificate(
    application: FastAPI, add: AddOfficer, host: str
) -> None:
    add("mbuyi", "clerk")
    log_in(InProcess(application, host=host), "mbuyi")


def test_a_session_ends_with_its_hours_its_account_and_its_password(
    client: InProcess, database: Database, add: AddOfficer, clock: TestClock
) -> None:
    add("adjoint", "admin")
    officer = add("chef", "admin")

    def admitted(headers: dict[str, str]) -> bool:
        return client.get("/v1/officers", headers=headers).status_code == 200

    headers = log_in(client, "chef")
    assert admitted(headers)
    clock.forward(timedelta(hours=8))
    assert not admitted(headers)

    headers = log_in(client, "chef")
    with database.write() as connection:
        officers.change_password(connection, officer.id, password="une autre phrase longue")
    assert not admitted(headers)
    assert client.post("/v1/sessions", json={"username": "chef", "password": PASSWORD}).status_code == 401

    with database.write() as connection:
        officers.change_password(connection, officer.id, password=PASSWORD)
    headers = log_in(client, "chef")
    with database.write() as connection:
        officers.disable(connection, officer.id, at=clock.now())
    assert not admitted(headers)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Bearer \x00é", "Basic bWJ1eWk6eA==", "Bearer " + "x" * 5000]
)
def test_a_made_up_token_opens_nothing(client: InProcess, header: str) -> None:
    answer = client.get("/v1/officers", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (401, "login_required")
