"""The desk of Kintambo's commune, with an act to deliver papers of."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.database import Database
from tests.civil.conftest import clerk, declare, kintambo, registrar
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node, new

__all__ = ["clerk", "declare", "kintambo", "registrar"]

Headers = dict[str, str]
BOOK = {"office": "CD-KN-017-01", "volume": "1", "folio": "3"}
PARENTS = {
    "mother_name": "Kapinga Ngalula",
    "father_name": "Ilunga Kabongo",
    "birth_place": "Maternité de Kintambo",
    "mode": "direct",
    "declarant_name": "Kapinga Ngalula",
}


@pytest.fixture
def act_of(
    kintambo: TestNode, registrar: Headers, declare: Callable[..., str]
) -> Callable[..., tuple[str, str]]:
    """A registered birth: gives (id of the act, id of the birth)."""

    def registered(**fields: Any) -> tuple[str, str]:
        birth = declare(**(PARENTS | fields))
        answer = kintambo.client.post(f"/v1/births/{birth}/registration", json=BOOK, headers=registrar)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"]), birth

    return registered


@pytest.fixture
def kimbanseke(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """Another commune's server."""
    return make_node(database, tmp_path, kind="commune", commune="CD-KN-008", clock=clock)


def note(node: TestNode, act: str, **values: Any) -> None:
    """A note in the margin of an act, as the registrar's server writes it down."""
    said = {
        "act": act,
        "commune": "CD-KN-017",
        "date": "2026-02-01",
        "recorded_at": "2026-02-01T09:00:00.000Z",
    }
    with node.database.write() as connection:
        node.door.write(connection, [new("annotation", said | values)], by=str(uuid.uuid4()))


def annul(node: TestNode, act: str) -> None:
    """A court's annulment in the margin of an act."""
    note(
        node,
        act,
        type="annulment",
        court="Tribunal de grande instance",
        reference="RC 77",
        text="Annulé par jugement RC 77.",
    )
