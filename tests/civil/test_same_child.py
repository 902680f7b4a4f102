"""The same child declared twice: the officer is told at once, and nothing is refused."""

from __future__ import annotations

from typing import Any

from tests.civil.conftest import Headers
from tests.nodes import TestNode

CHILD = {
    "nom": "Tshimanga", "postnom": "Kalala", "prenom": "Grâce", "sex": "F", "birth_date": "2026-01-10",
    "birth_precision": "day", "mother_name": "Kapinga Ntumba Marie",
}  # fmt: skip


def suspicions(node: TestNode, headers: Headers, **fields: Any) -> list[str]:
    answer = node.client.post("/v1/births", json=CHILD | fields, headers=headers)
    assert answer.status_code == 201, answer.text
    return [each["message"] for each in answer.json()["warnings"] if each["code"] == "possible_duplicate"]


def test_a_child_declared_again_under_another_spelling_and_order_is_pointed_out(
    kintambo: TestNode, clerk: Headers
) -> None:
    assert suspicions(kintambo, clerk) == []
    (told,) = suspicions(
        kintambo, clerk, nom="Kalala", postnom="Cimanga", prenom=None, birth_date="2026-01-12",
        mother_name="Marie Ntumba",
    )  # fmt: skip
    assert "Tshimanga Kalala Grâce" in told
    assert "Peut-être déjà déclarée" in told
    assert "à cinq jours près" in told
