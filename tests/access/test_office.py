"""Dates of office: who signs on which day, and who keeps the dates."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.access import tables
from app.database import Database
from tests.conftest import TestClock
from tests.nodes import PASSWORD, TestNode, make_node

Headers = dict[str, str]
ENTRY = {"office": "CD-KN-017-01", "volume": "1"}
CHILD = {"nom": "Mbuyi", "sex": "F", "birth_date": "2026-01-10", "declared_on": "2026-02-02"}


@pytest.fixture
def node(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    return make_node(database, tmp_path, kind="commune", clock=clock)


def delegate(node: TestNode, **office: Any) -> tuple[str, Headers]:
    """(id, headers) of a delegate appointed over REST, with his telephone enrolled."""
    admin = node.officer("admin")
    new = {"username": "delegue", "name": "Paul Ilunga", "role": "delegate", "password": PASSWORD}
    made = node.client.post("/v1/officers", json=new | office, headers=admin)
    assert made.status_code == 201, made.text
    assert {name: made.json()[name] for name in office} == office
    secret = node.enrol_factor(made.json()["id"], "delegue")
    login = {"username": "delegue", "password": PASSWORD, "otp": node.code(secret)}
    token = node.client.post("/v1/sessions", json=login).json()["token"]
    return made.json()["id"], {"Authorization": f"Bearer {token}"}


def sign(node: TestNode, headers: Headers) -> httpx.Response:
    clerk = node.officer("clerk")
    birth = node.client.post("/v1/births", json=CHILD, headers=clerk).json()["id"]
    return node.client.post(f"/v1/births/{birth}/registration", json=ENTRY, headers=headers)


def said(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("code")


def test_a_delegate_signs_from_his_first_day_to_his_last_and_reads_before_and_after(
    node: TestNode, clock: TestClock
) -> None:
    clock.forward(timedelta(hours=14, minutes=30))
    _, headers = delegate(
        node, office_from="2026-02-03", office_to="2026-02-03", appointed_by="Arrêté n° 12/2026"
    )
    assert clock.today().isoformat() == "2026-02-03"
    assert sign(node, headers).status_code == 201
    clock.forward(timedelta(hours=-1))
    assert said(sign(node, headers)) == (403, "not_in_office")
    assert node.client.get("/v1/births", headers=headers).status_code == 200
    clock.forward(timedelta(hours=2))
    assert sign(node, headers).status_code == 201


def test_the_day_after_the_delegation_nothing_is_signed_any_more(node: TestNode, clock: TestClock) -> None:
    officer, headers = delegate(node, office_from="2026-01-01", office_to="2026-02-01")
    refused = sign(node, headers)
    assert said(refused) == (403, "not_in_office")
    assert "2026-02-01" in refused.json()["detail"]
    admin, address = node.officer("admin"), f"/v1/officers/{officer}"
    longer = node.client.patch(address, json={"office_to": "2026-12-31"}, headers=admin)
    assert (longer.json()["office_from"], longer.json()["office_to"]) == ("2026-01-01", "2026-12-31")
    assert sign(node, headers).status_code == 201


def test_a_delegate_without_a_delegation_signs_nothing_but_a_registrar_without_dates_does(
    node: TestNode,
) -> None:
    _, headers = delegate(node)
    assert said(sign(node, headers)) == (403, "not_in_office")
    assert sign(node, node.officer("registrar")).status_code == 201


def test_impossible_dates_of_office_are_refused_and_each_change_stays_written(
    node: TestNode, database: Database
) -> None:
    officer, _ = delegate(node, office_from="2026-01-01")
    admin, address = node.officer("admin"), f"/v1/officers/{officer}"

    def patch(**office: Any) -> tuple[int, Any]:
        return said(node.client.patch(address, json=office, headers=admin))

    assert patch(office_to="2025-12-31") == (422, "office_invalid")
    assert patch(office_from="2026-02-30") == (422, "invalid_input")
    assert patch(office_from="2026") == (422, "invalid_input")
    assert patch(appointed_by="Arrêté n° 1") == (200, None)
    assert patch(appointed_by="Arrêté n° 1") == (200, None)
    with database.read() as connection:
        kept = sa.select(tables.officer_event.c.event).where(tables.officer_event.c.officer == officer)
        events = connection.execute(kept).scalars().all()
    assert events == ["office_changed", "factor_enrolled", "office_changed"]
