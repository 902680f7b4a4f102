"""What acts make of entities is audited too: a row that is hidden, shown elsewhere or whole against the operations."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from app.audit import verify
from app.database import Database
from tests.nodes import TestNode, make_node, new


@pytest.fixture
def node(database: Database, tmp_path: Path) -> TestNode:
    """Three persons: one voided, one merged into the third."""
    made = make_node(database, tmp_path)
    agent, clerk = made.tablet("1017010"), made.tablet("CD-KN-017", role="clerk")
    voided, loser, survivor = (str(uuid.UUID(int=at, version=4)) for at in (1, 2, 3))
    named = [new("person", {"nom": "Mbuyi", "sex": "F"}, identity=each) for each in (voided, loser, survivor)]
    made.push(agent, *named)
    seen = {"nom": [agent.dot(1)], "sex": [agent.dot(1)]}
    made.push(clerk, {"kind": "person", "id": voided, "act": "void", "par": seen})
    made.push(clerk, {"kind": "person", "id": loser, "act": "merge", "into": survivor, "set": {"phone": "1"}})
    assert verify(database).first_difference is None
    return made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE person SET void = NULL WHERE void IS NOT NULL", "void vaut"),
        ("UPDATE person SET merged_into = NULL WHERE merged_into IS NOT NULL", "merged_into vaut"),
        ("UPDATE person SET nom = 'Mbuyi' WHERE void IS NOT NULL", "nom vaut"),
        ("UPDATE person SET phone = NULL WHERE phone IS NOT NULL", "phone vaut"),
        ("UPDATE person SET registers = '{}' WHERE merged_into IS NOT NULL", "registre"),
        ("UPDATE census_cell SET count = count + 1 WHERE what = 'persons'", "census_cell"),
        ("UPDATE person SET area = area + 1 WHERE merged_into IS NOT NULL", "zone"),
    ],
)
def test_a_row_that_does_not_stand_as_the_acts_say_is_named(node: TestNode, change: str, said: str) -> None:
    with node.database.write() as connection:
        assert connection.exec_driver_sql(change).rowcount == 1
    assert said in (verify(node.database).first_difference or "")
