"""What a registrar signs once his signing window is over: nothing without a fresh code of his telephone."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.tables import officer_factor
from app.database import Database
from tests.civil.conftest import BOOK, Headers, code, open_volume, register, row, rows
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node, new

READING = {"to": ["Marie Kapinga"], "language": "lingala"}
CHILD = {"nom": "Mbuyi", "prenom": "Grâce", "sex": "F", "birth_date": "2026-01-10", "birth_precision": "day"}
DECLARED = CHILD | {"declared_on": "2026-02-02", "commune": "CD-KN-017", "mother_name": "Marie Kapinga"}


@pytest.fixture
def kintambo(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """Kintambo's server, no demonstration: a right code lets a session sign for ten minutes."""
    return make_node(database, tmp_path, commune="CD-KN-017", clock=clock, signing_minutes=10)


@pytest.fixture
def telephone(kintambo: TestNode) -> tuple[Headers, str]:
    """The headers of a registrar who logged in with a code just now, and the secret of his telephone."""
    registrar, username = kintambo.add_officer("registrar")
    headers = kintambo.log_in(registrar, username, role="registrar")
    with kintambo.database.read() as connection:
        secret = connection.execute(officer_factor.select()).mappings().one()["secret"]
    return headers, secret


def close(node: TestNode, headers: Headers, volume: str, **said: Any) -> httpx.Response:
    return node.client.post(f"/v1/registers/{volume}/closing", json=said, headers=headers)


def test_a_volume_is_closed_only_with_a_code_once_the_signing_window_is_over(
    kintambo: TestNode, telephone: tuple[Headers, str], clock: TestClock
) -> None:
    headers, secret = telephone
    volume = open_volume(kintambo, headers)
    clock.forward(timedelta(minutes=10))
    refused = close(kintambo, headers, volume)
    assert code(refused) == (401, "second_factor_required")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert code(close(kintambo, headers, volume, otp="000000")) == (401, "second_factor_required")
    assert row(kintambo, "book", volume)["closed_on"] is None
    closed = close(kintambo, headers, volume, otp=kintambo.code(secret))
    assert closed.status_code == 200, closed.text
    assert row(kintambo, "book", volume)["closed_on"] == "2026-02-02"


def test_a_birth_an_agent_wrote_down_is_drafted_read_and_signed_with_a_code_when_the_window_is_over(
    kintambo: TestNode, telephone: tuple[Headers, str], clock: TestClock
) -> None:
    headers, secret = telephone
    clerk, birth = kintambo.officer("clerk"), str(uuid.uuid4())
    kintambo.push(kintambo.tablet("CD-KN-017"), new("birth", DECLARED, identity=birth))
    drawn = kintambo.client.post(f"/v1/births/{birth}/draft", json=BOOK, headers=clerk)
    assert drawn.status_code == 201, drawn.text
    draft = drawn.json()["id"]
    heard = kintambo.client.post(f"/v1/births/{birth}/draft/reading", json=READING, headers=clerk)
    assert heard.status_code == 201, heard.text

    clock.forward(timedelta(minutes=10))
    assert code(register(kintambo, headers, birth, draft=draft)) == (401, "second_factor_required")
    assert (row(kintambo, "draft", draft)["stage"], rows(kintambo, "act")) == ("read", [])
    signed = register(kintambo, headers, birth, draft=draft, otp=kintambo.code(secret))
    assert signed.status_code == 201, signed.text
    stored = row(kintambo, "draft", draft)
    assert (stored["stage"], stored["act"]) == ("signed", signed.json()["id"])
    # The code opened the window again: the next act needs none.
    other = kintambo.client.post("/v1/births", json=CHILD | {"nom": "Kanku"}, headers=clerk).json()["id"]
    assert register(kintambo, headers, other).status_code == 201
