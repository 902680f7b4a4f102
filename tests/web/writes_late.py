"""The calls of the late procedure under strange input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.access.call import BOOK

if TYPE_CHECKING:
    from tests.web.desk import Desk

LATE_CHILD = {
    "nom": "Mbuyi",
    "birth_date": "2019-05-02",
    "declared_on": "2026-02-01",
}
WRITES: list[tuple[str, str, str | None, dict[str, Any]]] = [
    ("POST", "/v1/births/{birth_id}/procedure", "clerk", {"requester": "Marie Kapinga, mère"}),
    (
        "POST",
        "/v1/procedures/{procedure_id}/steps",
        "clerk",
        {"step": "requested", "on": "2025-09-08", "court": "Tribunal pour enfants"},
    ),
    ("POST", "/v1/procedures/{procedure_id}/transcription", "registrar", BOOK),
    ("POST", "/v1/campaigns", "clerk", {"name": "Audience foraine", "starts_on": "2026-01-15"}),
]


def plant(desk: Desk) -> dict[str, str]:
    """A child declared too late, and its file."""
    child = desk.node.client.post("/v1/births", json=LATE_CHILD, headers=desk.headers["clerk"])
    assert child.status_code == 201, child.text
    path = f"/v1/births/{child.json()['id']}/procedure"
    file = desk.node.client.post(path, json={}, headers=desk.headers["clerk"])
    assert file.status_code == 201, file.text
    return {"procedure_id": file.json()["id"]}
