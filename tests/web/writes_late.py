"""The calls of the late procedure under strange input."""

from __future__ import annotations

from typing import Any

from tests.web.desk import BOOK, CHILD, Desk

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
    late = CHILD | {"birth_date": "2019-05-02"}
    child = desk.node.client.post("/v1/births", json=late, headers=desk.headers["clerk"])
    assert child.status_code == 201, child.text
    path = f"/v1/births/{child.json()['id']}/procedure"
    file = desk.node.client.post(path, json={}, headers=desk.headers["clerk"])
    assert file.status_code == 201, file.text
    return {"procedure_id": file.json()["id"]}
