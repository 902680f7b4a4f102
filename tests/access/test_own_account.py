"""What an officer does about his own account: his sessions, his password; and what happens when he asks too much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.access import tables
from app.access.passwords import common_words
from app.database import Database
from tests.conftest import TestClock
from tests.nodes import PASSWORD, TestNode, make_node

Headers = dict[str, str]
NEW = "cinq pirogues sur le fleuve"


@pytest.fixture
def opened(database: Database, tmp_path: Path, clock: TestClock) -> Callable[..., TestNode]:
    """Kintambo's server with these settings."""

    def make(**settings: Any) -> TestNode:
        return make_node(database, tmp_path, kind="commune", clock=clock, **settings)

    return make


def log_in(node: TestNode, username: str, password: str = PASSWORD) -> Headers:
    answer = node.client.post("/v1/sessions", json={"username": username, "password": password})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def said(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("code") if answer.content else None


def test_an_officer_sees_his_sessions_and_closes_the_one_he_left_open(
    opened: Callable[..., TestNode],
) -> None:
    node = opened()
    (_, one), (_, two) = node.add_officer("clerk"), node.add_officer("clerk")
    forgotten, here, other = log_in(node, one), log_in(node, one), log_in(node, two)
    sessions = node.client.get("/v1/sessions", headers=here).json()
    assert sorted(each["current"] for each in sessions) == [False, True]
    [left] = [each["id"] for each in sessions if not each["current"]]
    stranger = node.client.request("DELETE", f"/v1/sessions/{left}", headers=other)
    assert said(stranger) == (404, "session_unknown")
    assert node.client.request("DELETE", f"/v1/sessions/{left}", headers=here).status_code == 204
    assert said(node.client.get("/v1/births", headers=forgotten)) == (401, "login_required")
    assert node.client.get("/v1/births", headers=here).status_code == 200


def test_a_session_left_alone_ends_and_one_that_is_used_goes_on(
    opened: Callable[..., TestNode], clock: TestClock, database: Database
) -> None:
    node = opened(idle_minutes=30)
    (_, one), (_, two) = node.add_officer("clerk"), node.add_officer("clerk")
    alone, used = log_in(node, one), log_in(node, two)
    for _ in range(3):
        clock.forward(timedelta(minutes=20))
        assert node.client.get("/v1/births", headers=used).status_code == 200
    assert said(node.client.get("/v1/births", headers=alone)) == (401, "login_required")
    assert said(node.client.get("/v1/births", headers=alone)) == (401, "login_required")
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.officer_session)) == 1


def test_an_officer_changes_his_own_password_and_only_this_session_goes_on(
    opened: Callable[..., TestNode],
) -> None:
    node, address = opened(), "/v1/officers/me/password"
    _, username = node.add_officer("clerk")
    other, headers = log_in(node, username), log_in(node, username)

    def change(old: str, new: str) -> tuple[int, Any]:
        return said(node.client.post(address, json={"old": old, "new": new}, headers=headers))

    assert change("pas le mien du tout", NEW) == (403, "wrong_password")
    assert change(PASSWORD, "motdepasse2026") == (422, "weak_password")
    assert change(PASSWORD, NEW) == (204, None)
    assert node.client.get("/v1/births", headers=headers).status_code == 200
    assert node.client.get("/v1/births", headers=other).status_code == 401
    log_in(node, username, NEW)
    refused = node.client.post("/v1/sessions", json={"username": username, "password": PASSWORD})
    assert said(refused) == (401, "wrong_login")


def test_a_stolen_session_does_not_guess_the_password(opened: Callable[..., TestNode]) -> None:
    node = opened(login_tries=3)
    _, username = node.add_officer("clerk")
    headers = log_in(node, username)
    tries = [
        said(node.client.post(path, json=body, headers=headers))
        for path, body in (
            ("/v1/officers/me/password", {"old": "mauvaise phrase", "new": NEW}),
            ("/v1/officers/me/factor", {"password": "mauvaise phrase"}),
            ("/v1/officers/me/password", {"old": "mauvaise phrase", "new": NEW}),
            ("/v1/officers/me/factor", {"password": PASSWORD}),
        )
    ]
    assert tries == [(403, "wrong_password")] * 3 + [(429, "too_many_tries")]


def test_one_person_who_asks_too_much_waits_and_the_neighbour_at_the_same_address_does_not(
    opened: Callable[..., TestNode],
) -> None:
    node = opened(requests_per_minute=20)
    hasty, calm = node.officer("clerk"), node.officer("clerk")
    answers = [node.client.get("/v1/births", headers=hasty) for _ in range(50)]
    refused = next(each for each in answers if each.is_error)
    assert said(refused) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert sum(each.status_code == 200 for each in answers) in range(20, 41)
    assert node.client.get("/v1/births", headers=calm).status_code == 200


def test_a_reader_may_be_asked_why(opened: Callable[..., TestNode], database: Database) -> None:
    node = opened(purpose_required=True)
    _, username = node.add_officer("clerk")
    headers = log_in(node, username)
    refused = node.client.get("/v1/births", headers=headers)
    assert said(refused) == (428, "purpose_required")
    person = node.client.post("/v1/persons", json={"nom": "Ilunga"}, headers=headers).json()["id"]
    for wrong in ("%ff", "%0a", " ", "x" * 201):
        strange = node.client.get(f"/v1/persons/{person}", headers=headers | {"Purpose": wrong})
        assert said(strange) == (422, "invalid_input"), wrong
    told = headers | {"Purpose": "copie%20demand%C3%A9e"}
    assert node.client.get(f"/v1/persons/{person}", headers=told).status_code == 200
    with database.read() as connection:
        read = sa.select(tables.read_journal.c.purpose).where(tables.read_journal.c.subject == person)
        assert connection.execute(read).scalars().all()[-1] == "copie demandée"


def test_the_list_of_common_passwords_is_a_real_one() -> None:
    words = common_words()
    assert len(words) > 600
    assert all(len(word) >= 4 and word == word.lower() for word in words)
    assert {"motdepasse", "azertyuiop", "nzambe", "kinshasa"} <= set(words)
