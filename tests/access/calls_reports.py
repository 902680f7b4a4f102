"""Who may read a commune's reports: its clerk and its registrar, and the registrar of the province."""

from __future__ import annotations

import uuid

from tests.access.call import ELSEWHERE, OWN, Call
from tests.nodes import TestNode, new

CALLS: list[Call] = [
    Call(
        "GET", "/v1/reports/monthly", "reports", elsewhere=ELSEWHERE,
        path=f"/v1/reports/monthly?commune={OWN}&month=2026-02",
    ),
    Call(
        "GET", "/v1/reports/index", "reports", elsewhere=ELSEWHERE, path=f"/v1/reports/index?office={OWN}-01&year=2026",
    ),
    Call(
        "GET", "/v1/reports/closing", "reports", elsewhere=ELSEWHERE, path="/v1/reports/closing?book={volume_opened}",
    ),
]  # fmt: skip


def plant(node: TestNode, ids: dict[str, str]) -> dict[str, str]:
    """A volume of Kintambo."""
    book = new(
        "book", {"commune": OWN, "office": f"{OWN}-01", "register": "birth", "year": 2025, "volume": "1"}
    )
    with node.database.write() as connection:
        node.door.write(connection, [book], by=str(uuid.uuid4()))
    return {"volume_opened": str(book["id"])}
