"""An officer's second factor: enrolling a telephone, logging in and signing with its codes, losing it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
import sqlalchemy as sa

from app.access import tables
from app.database import Database
from tests.conftest import TestClock
from tests.nodes import PASSWORD, TestNode, make_node

Headers = dict[str, str]
ENTRY = {"office": "CD-KN-017-01", "volume": "1"}
OWN = {"password": PASSWORD}
CHILD = {
    "nom": "Mbuyi",
    "sex": "F",
    "birth_date": "2026-01-10",
    "birth_precision": "day",
    "declared_on": "2026-02-02",
}


@pytest.fixture
def node(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """Kintambo's server, no demonstration: a right code lets a session sign for ten minutes."""
    return make_node(database, tmp_path, kind="commune", clock=clock, signing_minutes=10)


@pytest.fixture
def declared(node: TestNode) -> Callable[[], str]:
    """The address at which a newly declared birth is registered."""
    clerk = node.officer("clerk")

    def declare() -> str:
        answer = node.client.post("/v1/births", json=CHILD, headers=clerk)
        return f"/v1/births/{answer.json()['id']}/registration"

    return declare


def log_in(node: TestNode, username: str, **more: str) -> httpx.Response:
    return node.client.post("/v1/sessions", json={"username": username, "password": PASSWORD, **more})


def bearer(answer: httpx.Response) -> Headers:
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def said(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("code") if answer.content else None


def enrol(node: TestNode, headers: Headers) -> tuple[str, list[str]]:
    """Enrol over REST: (secret, recovery codes)."""
    started = node.client.post("/v1/officers/me/factor", json=OWN, headers=headers)
    assert started.status_code == 201, started.text
    secret = started.json()["secret"]
    address = "/v1/officers/me/factor/confirmation"
    answer = node.client.post(address, json={"otp": node.code(secret)}, headers=headers)
    assert answer.status_code == 201, answer.text
    return secret, answer.json()["recovery"]


def test_a_registrar_without_a_factor_reads_but_does_not_sign(
    node: TestNode, declared: Callable[[], str]
) -> None:
    _, username = node.add_officer("registrar")
    headers, address = bearer(log_in(node, username)), declared()
    assert node.client.get("/v1/births", headers=headers).status_code == 200
    refused = node.client.post(address, json=ENTRY, headers=headers)
    assert said(refused) == (403, "second_factor_not_enrolled")
    enrol(node, headers)
    assert node.client.post(address, json=ENTRY, headers=headers).status_code == 201


def test_on_a_demonstrations_server_a_registrar_signs_without_a_telephone(
    database: Database, tmp_path: Path, clock: TestClock
) -> None:
    demo = make_node(database, tmp_path, kind="commune", clock=clock, demo=True)
    clerk, username = demo.officer("clerk"), demo.add_officer("registrar")[1]
    birth = demo.client.post("/v1/births", json=CHILD, headers=clerk).json()["id"]
    headers = bearer(log_in(demo, username))
    address = f"/v1/births/{birth}/registration"
    assert demo.client.post(address, json=ENTRY, headers=headers).status_code == 201


def test_a_telephone_counts_only_once_a_code_of_it_was_right(node: TestNode) -> None:
    _, username = node.add_officer("registrar")
    headers = bearer(log_in(node, username))
    address = "/v1/officers/me/factor/confirmation"
    assert said(node.client.post(address, json={"otp": "123456"}, headers=headers)) == (
        404,
        "no_second_factor",
    )
    first = node.client.post("/v1/officers/me/factor", json=OWN, headers=headers).json()
    again = node.client.post("/v1/officers/me/factor", json=OWN, headers=headers)
    shown = again.json()
    assert again.headers["Cache-Control"] == "no-store"
    assert first["secret"] != shown["secret"]
    assert shown["secret"] in shown["otpauth"]
    assert shown["qr"].startswith("<svg")
    read = pyotp.parse_uri(shown["otpauth"])
    assert (read.secret, read.name, read.issuer) == (shown["secret"], username, "Mboka")
    bearer(log_in(node, username))
    stale = node.client.post(address, json={"otp": node.code(first["secret"])}, headers=headers)
    assert said(stale) == (401, "second_factor_required")
    right = node.client.post(address, json={"otp": node.code(shown["secret"])}, headers=headers)
    assert right.status_code == 201
    assert len(set(right.json()["recovery"])) == 10
    assert said(log_in(node, username)) == (401, "second_factor_required")
    twice = node.client.post("/v1/officers/me/factor", json=OWN, headers=headers)
    assert said(twice) == (409, "second_factor_enrolled")


def test_enrolling_closes_the_officers_other_sessions(node: TestNode) -> None:
    _, username = node.add_officer("registrar")
    other, headers = bearer(log_in(node, username)), bearer(log_in(node, username))
    enrol(node, headers)
    assert node.client.get("/v1/births", headers=other).status_code == 401
    assert node.client.get("/v1/births", headers=headers).status_code == 200


def test_a_code_is_good_for_one_step_around_and_only_once(node: TestNode, clock: TestClock) -> None:
    _, username = node.add_officer("registrar")
    secret, _ = enrol(node, bearer(log_in(node, username)))
    assert said(log_in(node, username, otp=node.code(secret))) == (401, "second_factor_required")
    clock.forward(timedelta(seconds=90))
    for steps in (-2, 2):
        assert log_in(node, username, otp=node.code(secret, steps=steps)).status_code == 401
    early = node.code(secret, steps=1)
    bearer(log_in(node, username, otp=f"{early[:3]} {early[3:]}"))
    assert said(log_in(node, username, otp=early)) == (401, "second_factor_required")
    # Older than a code already used: what somebody saw over a shoulder opens nothing.
    assert said(log_in(node, username, otp=node.code(secret))) == (401, "second_factor_required")


def test_a_wrong_password_does_not_say_that_a_code_is_wanted(node: TestNode) -> None:
    _, username = node.add_officer("registrar")
    enrol(node, bearer(log_in(node, username)))
    answer = node.client.post("/v1/sessions", json={"username": username, "password": "mauvaise phrase"})
    assert said(answer) == (401, "wrong_login")


def test_a_code_at_login_opens_ten_minutes_of_signing_for_that_session(
    node: TestNode, clock: TestClock, declared: Callable[[], str]
) -> None:
    _, username = node.add_officer("registrar")
    secret, _ = enrol(node, bearer(log_in(node, username)))
    clock.forward(timedelta(minutes=1))
    headers = bearer(log_in(node, username, otp=node.code(secret)))
    for _ in range(3):
        assert node.client.post(declared(), json=ENTRY, headers=headers).status_code == 201
    clock.forward(timedelta(minutes=10))
    address = declared()
    refused = node.client.post(address, json=ENTRY, headers=headers)
    assert said(refused) == (401, "second_factor_required")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    wrong = node.client.post(address, json=ENTRY | {"otp": "000000"}, headers=headers)
    assert said(wrong) == (401, "second_factor_required")
    signed = node.client.post(address, json=ENTRY | {"otp": node.code(secret)}, headers=headers)
    assert signed.status_code == 201
    assert node.client.post(declared(), json=ENTRY, headers=headers).status_code == 201


def test_the_window_of_one_session_does_not_serve_another(
    node: TestNode, clock: TestClock, declared: Callable[[], str]
) -> None:
    _, username = node.add_officer("registrar")
    secret, recovery = enrol(node, bearer(log_in(node, username)))
    clock.forward(timedelta(minutes=1))
    first = bearer(log_in(node, username, otp=node.code(secret)))
    clock.forward(timedelta(minutes=11))
    bearer(log_in(node, username, otp=recovery[0]))
    assert said(node.client.post(declared(), json=ENTRY, headers=first)) == (401, "second_factor_required")


def test_the_same_request_sent_again_with_the_next_code_gets_the_first_answer(
    node: TestNode, clock: TestClock, declared: Callable[[], str]
) -> None:
    _, username = node.add_officer("registrar")
    headers = bearer(log_in(node, username))
    secret, _ = enrol(node, headers)
    clock.forward(timedelta(minutes=11))
    address, key = declared(), headers | {"Idempotency-Key": "une-cle-de-client"}
    first = node.client.post(address, json=ENTRY | {"otp": node.code(secret)}, headers=key)
    clock.forward(timedelta(minutes=11))
    again = node.client.post(address, json=ENTRY | {"otp": node.code(secret)}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


def test_a_refused_act_does_not_use_the_code_up(
    node: TestNode, clock: TestClock, declared: Callable[[], str]
) -> None:
    _, username = node.add_officer("registrar")
    headers = bearer(log_in(node, username))
    secret, _ = enrol(node, headers)
    done, todo = declared(), declared()
    assert node.client.post(done, json=ENTRY, headers=headers).status_code == 201
    clock.forward(timedelta(minutes=11))
    otp = {"otp": node.code(secret)}
    assert said(node.client.post(done, json=ENTRY | otp, headers=headers)) == (409, "already_registered")
    assert node.client.post(todo, json=ENTRY | otp, headers=headers).status_code == 201


def test_after_five_wrong_codes_that_person_waits_and_nobody_else(
    node: TestNode, clock: TestClock, declared: Callable[[], str]
) -> None:
    people = []
    for _ in range(2):
        _, username = node.add_officer("registrar")
        headers = bearer(log_in(node, username))
        people.append((headers, enrol(node, headers)[0]))
    clock.forward(timedelta(minutes=11))
    (guessing, secret), (other, others) = people
    address = declared()
    for _ in range(5):
        wrong = node.client.post(address, json=ENTRY | {"otp": "000000"}, headers=guessing)
        assert said(wrong) == (401, "second_factor_required")
    refused = node.client.post(address, json=ENTRY | {"otp": node.code(secret)}, headers=guessing)
    assert said(refused) == (429, "too_many_tries")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (
        node.client.post(address, json=ENTRY | {"otp": node.code(others)}, headers=other).status_code == 201
    )


def test_each_recovery_code_serves_once_and_is_stored_only_as_a_hash(
    node: TestNode, database: Database
) -> None:
    _, username = node.add_officer("registrar")
    _, recovery = enrol(node, bearer(log_in(node, username)))
    with database.read() as connection:
        stored = str(connection.execute(sa.select(tables.officer_recovery)).all())
    assert not any(code in stored or code.replace("-", "") in stored for code in recovery)
    bearer(log_in(node, username, otp=recovery[3].lower().replace("-", " ")))
    assert said(log_in(node, username, otp=recovery[3])) == (401, "second_factor_required")
    bearer(log_in(node, username, otp=recovery[4]))


def test_an_officer_gives_up_his_own_factor_with_a_last_code(node: TestNode) -> None:
    _, username = node.add_officer("registrar")
    headers = bearer(log_in(node, username))
    _, recovery = enrol(node, headers)
    address = "/v1/officers/me/factor"
    wrong = node.client.request("DELETE", address, json={"otp": "000000"}, headers=headers)
    assert said(wrong) == (401, "second_factor_required")
    right = node.client.request("DELETE", address, json={"otp": recovery[0]}, headers=headers)
    assert right.status_code == 204
    bearer(log_in(node, username))
    none = node.client.request("DELETE", address, json={"otp": recovery[1]}, headers=headers)
    assert said(none) == (404, "no_second_factor")


def test_an_admin_takes_a_lost_telephone_away_and_that_stays_written(
    node: TestNode, database: Database, clock: TestClock
) -> None:
    officer, username = node.add_officer("registrar")
    headers = bearer(log_in(node, username))
    enrol(node, headers)
    admin, address = node.officer("admin"), f"/v1/officers/{officer}/factor"
    assert node.client.request("DELETE", address, headers=admin).status_code == 204
    assert node.client.get("/v1/births", headers=headers).status_code == 401
    bearer(log_in(node, username))
    assert said(node.client.request("DELETE", address, headers=admin)) == (404, "no_second_factor")
    with database.read() as connection:
        events = connection.execute(sa.select(tables.officer_event)).all()
    assert [(event.officer, event.event) for event in events] == [
        (officer, "factor_enrolled"),
        (officer, "factor_reset"),
    ]
    assert events[1].by not in (None, officer)
    for change in (tables.officer_event.delete(), tables.officer_event.update().values(event="rien")):
        with pytest.raises(sa.exc.DBAPIError), database.write() as connection:
            connection.execute(change)
