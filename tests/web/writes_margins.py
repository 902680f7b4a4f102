"""The calls about the margin of an act under strange input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.access.call import BOOK

if TYPE_CHECKING:
    from tests.web.desk import Desk

DECISION = {"court": "Tribunal de grande instance", "reference": "RC 1", "date": "2026-02-02"}
WRITES: list[tuple[str, str, str | None, dict[str, Any]]] = [
    (
        "POST",
        "/v1/acts/{act_id}/annotations",
        "registrar",
        {"type": "rectification", "reference": "OR 1", "date": "2026-02-02", "changes": {"nom": "Mbuya"}},
    ),
    ("POST", "/v1/acts/{act_id}/annulment", "registrar", DECISION),
    ("POST", "/v1/annulments/{annulment_id}/confirmation", "registrar", {}),
    ("POST", "/v1/annulments/{annulment_id}/withdrawal", "registrar", {"note": "Frappé d'appel"}),
]


def plant(desk: Desk) -> dict[str, str]:
    """One more act, and an annulment of it that waits."""
    desk.declare()
    address = desk.path("/v1/births/{birth_id}/registration")
    act = desk.node.client.post(address, json=BOOK, headers=desk.headers["registrar"])
    assert act.status_code == 201, act.text
    path = f"/v1/acts/{act.json()['id']}/annulment"
    asked = desk.node.client.post(path, json=DECISION, headers=desk.headers["registrar"])
    assert asked.status_code == 201, asked.text
    return {"act_id": act.json()["id"], "annulment_id": asked.json()["id"]}
