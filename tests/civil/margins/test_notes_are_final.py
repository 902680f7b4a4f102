"""A note stands as finally as the act it is written beside: nobody at the database changes, deletes or replaces it."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from app.civil.tables import act as act_table
from app.civil.tables import annotation
from tests.civil.conftest import Headers, row, rows
from tests.civil.margins.conftest import annotate, annul
from tests.nodes import TestNode

FREE = {"area", "seq", "rev", "registers"}
REFUSED = (sa.exc.DatabaseError, psycopg.Error, sqlite3.Error)


def attempt(node: TestNode, statement: sa.Executable | str) -> str:
    """What the database answers to somebody who tries."""
    made = sa.text(statement) if isinstance(statement, str) else statement
    with pytest.raises(REFUSED) as caught, node.database.write() as connection:
        connection.execute(made)
    return str(caught.value)


def test_no_column_of_a_note_can_be_updated(
    kintambo: TestNode, act: dict[str, Any], registrar: Headers
) -> None:
    note = row(kintambo, "annotation", annotate(kintambo, registrar, act["id"]).json()["id"])
    for column in annotation.columns:
        if column.name not in FREE:
            value = column if note[column.name] is None else sa.null()
            change = annotation.update().values({column.name: value})
            assert "ne se modifie pas" in attempt(kintambo, change), column.name
    assert row(kintambo, "annotation", note["id"]) == note


def test_a_note_cannot_be_deleted_emptied_or_replaced(
    kintambo: TestNode, act: dict[str, Any], registrar: Headers
) -> None:
    note = row(kintambo, "annotation", annotate(kintambo, registrar, act["id"]).json()["id"])
    assert "ne se modifie pas" in attempt(kintambo, annotation.delete())
    changed = note | {"text": "Autre"}
    if kintambo.database.is_sqlite:
        replace = annotation.insert().prefix_with("OR REPLACE").values(changed)
        assert "ne se modifie pas" in attempt(kintambo, replace)
    else:
        assert "ne se modifie pas" in attempt(kintambo, "TRUNCATE annotation")
        upsert = (
            "INSERT INTO annotation SELECT * FROM annotation ON CONFLICT (id) DO UPDATE SET text = 'Autre'"
        )
        assert "ne se modifie pas" in attempt(kintambo, upsert)
    assert row(kintambo, "annotation", note["id"]) == note


def test_an_annulled_act_is_as_final_as_any(kintambo: TestNode, act: dict[str, Any]) -> None:
    annul(kintambo, act["id"])
    before = row(kintambo, "act", act["id"])
    assert "ne se modifie pas" in attempt(kintambo, act_table.delete())
    assert "ne se modifie pas" in attempt(kintambo, act_table.update().values(number=99))
    assert "ne se modifie pas" in attempt(kintambo, annotation.delete())
    assert row(kintambo, "act", act["id"]) == before


def test_the_door_sets_aside_what_would_rewrite_void_or_merge_a_note(
    kintambo: TestNode, act: dict[str, Any], registrar: Headers
) -> None:
    note = row(kintambo, "annotation", annotate(kintambo, registrar, act["id"]).json()["id"])
    other = row(kintambo, "annotation", annotate(kintambo, registrar, act["id"]).json()["id"])
    attempts: list[dict[str, Any]] = [
        {"set": {"text": "Autre"}, "par": {"text": [1]}},
        {"new": True, "set": {"text": "Autre"}},
        {"act": "void", "par": {"text": [1]}},
        {"act": "merge", "into": other["id"]},
    ]
    for said in attempts:
        with kintambo.database.write() as connection:
            operation = {"kind": "annotation", "id": note["id"], **said}
            kintambo.door.write(connection, [operation], by=note["recorded_by"])
    for before in (note, other):
        stands = row(kintambo, "annotation", before["id"])
        assert {n: v for n, v in stands.items() if n not in FREE} == {
            n: v for n, v in before.items() if n not in FREE
        }
    assert len(rows(kintambo, "annotation")) == 2
