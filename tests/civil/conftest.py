"""A commune's server with a clerk and a registrar at their desks, and families a census has counted."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.database import Database
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node, new

Headers = dict[str, str]
BANGALA = {"commune": "CD-KN-017", "avenue": "Bangala", "number": "12"}


@pytest.fixture
def kintambo(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """Kintambo's server, which has not joined a province; it is 2 February 2026, 10:00 in Kinshasa."""
    return make_node(database, tmp_path, kind="commune", commune="CD-KN-017", clock=clock)


@pytest.fixture
def clerk(kintambo: TestNode) -> Headers:
    return kintambo.officer("clerk")


@pytest.fixture
def registrar(kintambo: TestNode) -> Headers:
    return kintambo.officer("registrar")


@pytest.fixture
def declare(kintambo: TestNode, clerk: Headers) -> Callable[..., str]:
    """A declaration received by the clerk: gives its id."""

    def declaration(**fields: Any) -> str:
        child = {"nom": "Mbuyi", "postnom": "Kalala", "prenom": "Grâce", "sex": "F"}
        dates = {"birth_date": "2026-01-10", "birth_precision": "day", "declared_on": "2026-02-02"}
        answer = kintambo.client.post("/v1/births", json=child | dates | fields, headers=clerk)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    return declaration


BOOK = {"office": "CD-KN-017-01", "volume": "1"}
INITIALS = {"initialled_on": "2026-01-02", "initialled_by": "Parquet de Kinshasa/Gombe"}


def open_volume(node: TestNode, headers: Headers, **values: Any) -> str:
    """A volume opened with its cote et paraphe: gives its id."""
    answer = node.client.post("/v1/registers", json=BOOK | INITIALS | values, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def register(node: TestNode, headers: Headers, birth: str, **entry: Any) -> httpx.Response:
    """The answer to a registrar who draws up the act of a birth."""
    return node.client.post(f"/v1/births/{birth}/registration", json=BOOK | entry, headers=headers)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


def household(node: TestNode, *members: dict[str, Any]) -> tuple[str, list[str]]:
    """A household with these members, as this server wrote it down: (its id, theirs)."""
    home = str(uuid.uuid4())
    people = [new("person", {"household": home, "nom": "Kapinga", **member}) for member in members]
    with node.database.write() as connection:
        node.door.write(connection, [new("household", BANGALA, identity=home), *people], by=str(uuid.uuid4()))
    return home, [person["id"] for person in people]


def row(node: TestNode, kind: str, identity: str) -> dict[str, Any]:
    """The register's row of one entity."""
    table = node.door.registry.shapes[kind].table
    with node.database.read() as connection:
        return dict(connection.execute(table.select().where(table.c.id == identity)).mappings().one())


def rows(node: TestNode, kind: str) -> list[dict[str, Any]]:
    """All rows of a kind."""
    with node.database.read() as connection:
        found = connection.execute(node.door.registry.shapes[kind].table.select()).mappings()
        return [dict(each) for each in found]
