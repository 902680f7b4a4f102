"""A registered act of Kintambo, and the calls about its margin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.civil.conftest import Headers, household
from tests.nodes import TestNode

BOOK = {"office": "CD-KN-017-01", "volume": "1"}
RECTIFICATION = {
    "type": "rectification",
    "reference": "OR 12/2026",
    "date": "2026-02-02",
    "changes": {"nom": "Mbuya"},
}
DECISION = {
    "court": "Tribunal de grande instance de Kinshasa/Gombe",
    "reference": "RC 31.204",
    "date": "2026-02-02",
}

Register = Callable[..., dict[str, Any]]


@pytest.fixture
def registered(kintambo: TestNode, declare: Callable[..., str], registrar: Headers) -> Register:
    """A birth declared and registered: gives what the registration answered."""

    def registration(**fields: Any) -> dict[str, Any]:
        path = f"/v1/births/{declare(**fields)}/registration"
        answer = kintambo.client.post(path, json=BOOK, headers=registrar)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return registration


@pytest.fixture
def act(registered: Register) -> dict[str, Any]:
    """Grâce's act."""
    return registered()


@pytest.fixture
def born_at_home(kintambo: TestNode, registered: Register) -> dict[str, Any]:
    """The act of a child of a counted household: its person is in the register."""
    _, (mother,) = household(
        kintambo, {"prenom": "Marie", "sex": "F", "relation": "head", "status": "present"}
    )
    return registered(mother=mother)


def annotate(node: TestNode, registrar: Headers, act: str, **said: Any) -> httpx.Response:
    """A note as the registrar sends it."""
    return node.client.post(f"/v1/acts/{act}/annotations", json=RECTIFICATION | said, headers=registrar)


def annul(node: TestNode, act: str) -> str:
    """A court's decision, recorded by two registrars: gives the id of the annulment."""
    first, second = node.officer("registrar"), node.officer("registrar")
    asked = node.client.post(f"/v1/acts/{act}/annulment", json=DECISION, headers=first)
    assert asked.status_code == 201, asked.text
    proposal = str(asked.json()["id"])
    done = node.client.post(f"/v1/annulments/{proposal}/confirmation", json={}, headers=second)
    assert done.status_code == 200, done.text
    return proposal


def read(node: TestNode, reader: Headers, act: str, **query: str) -> dict[str, Any]:
    """The act as the clerk sees it."""
    answer = node.client.get(f"/v1/acts/{act}", params=query, headers=reader)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
