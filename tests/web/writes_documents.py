"""The writes of documents, to be tried with strange input."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from app.civil import tables

NO_ACT = "00000000-0000-4000-8000-000000000000"
WRITES: list[tuple[str, str, str | None, dict[str, Any]]] = [
    ("POST", "/v1/acts/{act_id}/documents", "clerk", {"type": "extract", "purpose": "école"}),
    ("POST", "/v1/acts/documents", "clerk", {"acts": [NO_ACT], "type": "extract", "purpose": "école", "format": "zip"}),
    ("POST", "/v1/births/{birth_id}/receipt", "clerk", {"purpose": "école"}),
    (
        "POST", "/v1/births/{birth_id}/court-request", "clerk",
        {"court": "Tribunal pour enfants", "requester": "Kapinga", "purpose": "jugement"},
    ),
    (
        "POST", "/v1/documents/{document_id}/delivery", "clerk",
        {"to_name": "Kapinga", "to_relation": "mère", "identity": "carte"},
    ),
]  # fmt: skip


def plant(desk: Any) -> dict[str, str]:
    """The desk's act, and a document issued of it."""
    with desk.node.database.read() as connection:
        act = str(
            connection.execute(sa.select(tables.act.c.id).order_by(tables.act.c.id).limit(1)).scalar_one()
        )
    answer = desk.node.client.post(
        f"/v1/acts/{act}/documents", json={"type": "extract"}, headers=desk.headers["clerk"]
    )
    assert answer.status_code == 201, answer.text
    return {"act_id": act, "document_id": answer.headers["location"].rpartition("/")[2]}
