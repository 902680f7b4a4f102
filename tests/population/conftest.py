"""A commune's node with its clerk, and what a clerk does at his desk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.database import Database
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node

HOME = "CD-KN-017"
QUARTIER, NEXT_QUARTIER, FAR_QUARTIER = "1017010", "1017021", "1008010"


@dataclass
class Clerk:
    """An officer at work: the calls of this package with his token."""

    node: TestNode
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.node.client.get(f"/v1/{path}", headers=self.headers, params=parameters)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.node.client.post(f"/v1/{path}", headers=self.headers | headers, json=body)

    def patch(self, path: str, body: Any, etag: str | None = None) -> httpx.Response:
        match = {"If-Match": etag} if etag is not None else {}
        return self.node.client.patch(f"/v1/{path}", headers=self.headers | match, json=body)

    def household(self, **values: Any) -> dict[str, Any]:
        return self._made(self.post("households", {"quartier": QUARTIER} | values))

    def person(self, **values: Any) -> dict[str, Any]:
        home = values.pop("household", None) or self.household()["id"]
        return self._made(self.post("persons", {"household": home} | values))

    def _made(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        assert answer.headers["etag"] == found["etag"]
        return found


@pytest.fixture
def node(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    return make_node(database, tmp_path, commune=HOME, clock=clock)


@pytest.fixture
def clerk(node: TestNode) -> Clerk:
    return Clerk(node, node.officer("clerk"))


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def wrong_fields(answer: httpx.Response) -> list[str]:
    """The fields an `invalid_input` names."""
    assert refusal(answer) == (422, "invalid_input"), answer.text
    return [each["field"] for each in answer.json()["errors"]]
