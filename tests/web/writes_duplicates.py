"""The call that decides of a possible duplicate, for the tests of strange input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.web.desk import Desk

CHILD = {
    "nom": "Tshimanga", "postnom": "Kalala", "sex": "F", "birth_date": "2025-12-24", "birth_precision": "day",
    "mother_name": "Kapinga Ntumba Marie", "declared_on": "2026-01-30",
}  # fmt: skip
WRITES: list[tuple[str, str, str | None, Mapping[str, Any]]] = [
    (
        "POST",
        "/v1/duplicates/{first}/{second}/decision",
        "clerk",
        {"verdict": "unsure", "note": "Mère absente."},
    ),
]


def plant(desk: Desk) -> dict[str, str]:
    """One child declared twice."""
    ids = []
    for nom in ("Tshimanga", "Cimanga"):
        answer = desk.node.client.post("/v1/births", json=CHILD | {"nom": nom}, headers=desk.headers["clerk"])
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
    return {"first": ids[0], "second": ids[1]}
