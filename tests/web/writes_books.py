"""The calls by which offices, volumes, volets and provisional numbers are written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.web.desk import Desk

OFFICE = "CD-KN-017-01"
VOLUME = {"office": OFFICE, "volume": "1"}
INITIALS = {"initialled_on": "2026-01-02", "initialled_by": "Parquet de Kinshasa/Gombe"}
SLIP = {"volet": 2, "sent_to": "Greffe", "slip": "B-014/2026"}
WRITES: list[tuple[str, str, str | None, dict[str, Any]]] = [
    ("POST", "/v1/offices", "registrar", {"commune": "CD-KN-017", "name": "Bureau secondaire de Lubudi"}),
    ("POST", "/v1/offices/{code}/closing", "registrar", {"valid_to": "2026-12-31"}),
    ("POST", "/v1/registers", "registrar", VOLUME | INITIALS | {"year": 2025}),
    ("POST", "/v1/registers/{register_id}/initials", "registrar", INITIALS),
    ("POST", "/v1/registers/{register_id}/closing", "registrar", {}),
    ("POST", "/v1/registers/{register_id}/volets", "clerk", SLIP | {"from_number": 1, "to_number": 9}),
    ("POST", "/v1/acts/{act_id}/volets", "clerk", SLIP),
    ("POST", "/v1/births/{birth_id}/provisional", "clerk", {"office": OFFICE, "reason": "Plus de registre."}),
]


def plant(desk: Desk) -> dict[str, str]:
    """A volume without its cote et paraphe, and the act that stands in it."""
    node, headers = desk.node, desk.headers["registrar"]
    made = node.client.post("/v1/registers", json=VOLUME | {"volume": "9"}, headers=headers)
    assert made.status_code == 201, made.text
    act = node.client.get(f"/v1/births/{desk.ids['birth_id']}", headers=headers).json()["act"]
    return {"register_id": made.json()["id"], "act_id": act["id"]}
