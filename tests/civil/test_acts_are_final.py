"""A registered act is never changed nor deleted: not by the server, not by somebody at the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from app.civil import tables
from tests.civil.conftest import Headers, row
from tests.nodes import TestNode

FREE = {"area", "seq", "rev", "registers"}
REFUSED = (sa.exc.DatabaseError, psycopg.Error, sqlite3.Error)


@pytest.fixture
def act(kintambo: TestNode, declare: Callable[..., str], registrar: Headers) -> dict[str, Any]:
    """Grâce's act, as the register holds it."""
    entry = {"office": "CD-KN-017-01", "volume": "1", "folio": "1"}
    path = f"/v1/births/{declare()}/registration"
    answer = kintambo.client.post(path, json=entry, headers=registrar)
    assert answer.status_code == 201, answer.text
    return row(kintambo, "act", answer.json()["id"])


def attempt(node: TestNode, statement: sa.Executable | str) -> str:
    """What the database answers to somebody who tries; the act must stand as before."""
    made = sa.text(statement) if isinstance(statement, str) else statement
    with pytest.raises(REFUSED) as caught, node.database.write() as connection:
        connection.execute(made)
    return str(caught.value)


def test_no_legal_column_of_an_act_can_be_updated(kintambo: TestNode, act: dict[str, Any]) -> None:
    for column in tables.act.columns:
        if column.name in FREE:
            continue
        change = tables.act.update().values({column.name: column if act[column.name] is None else sa.null()})
        assert "ne se modifie pas" in attempt(kintambo, change), column.name
    assert row(kintambo, "act", act["id"]) == act


def test_an_act_cannot_be_updated_as_a_whole(kintambo: TestNode, act: dict[str, Any]) -> None:
    assert "ne se modifie pas" in attempt(kintambo, tables.act.update().values(act))
    assert "ne se modifie pas" in attempt(kintambo, tables.act.update().values(act | {"nom": "Autre"}))
    assert row(kintambo, "act", act["id"]) == act


def test_an_act_cannot_be_deleted_emptied_or_replaced(kintambo: TestNode, act: dict[str, Any]) -> None:
    assert "ne se modifie pas" in attempt(kintambo, tables.act.delete())
    changed = act | {"nom": "Autre"}
    if kintambo.database.is_sqlite:
        assert "ne se modifie pas" in attempt(
            kintambo, tables.act.insert().prefix_with("OR REPLACE").values(changed)
        )
        other = changed | {"id": "11111111-1111-4111-8111-111111111111"}
        assert "ne se modifie pas" in attempt(
            kintambo, tables.act.insert().prefix_with("OR REPLACE").values(other)
        )
    else:
        assert "ne se modifie pas" in attempt(kintambo, "TRUNCATE act")
        upsert = "INSERT INTO act SELECT * FROM act ON CONFLICT (id) DO UPDATE SET nom = 'Autre'"
        assert "ne se modifie pas" in attempt(kintambo, upsert)
    assert row(kintambo, "act", act["id"]) == act


def test_an_operation_cannot_rewrite_an_act(kintambo: TestNode, act: dict[str, Any]) -> None:
    """The door itself sets aside what would change an act, from whatever server it came."""
    rewrite = {"kind": "act", "id": act["id"], "set": {"nom": "Autre"}, "par": {"nom": [1]}}
    again = {"kind": "act", "id": act["id"], "new": True, "set": {"nom": "Autre"}}
    for operation in (rewrite, again):
        with kintambo.database.write() as connection:
            kintambo.door.write(connection, [operation], by=act["drawn_by"])
    stands = row(kintambo, "act", act["id"])
    assert {n: v for n, v in stands.items() if n not in FREE} == {
        n: v for n, v in act.items() if n not in FREE
    }
