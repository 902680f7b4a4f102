"""Schemathesis calls the whole API and finds no crash and no answer the description does not promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemathesis import APIOperation

from tests.access.call import DEVICE, PROOF, PUBLIC, QUARTIER, ROLES
from tests.access.matrix import CALLS
from tests.access.test_matrix import device_headers
from tests.nodes import Tablet
from tests.web.desk import JSON_WRITES, Desk
from tests.web.fuzzing import Headers, Planted

# Who asks, when several may.
FIRST = ("registrar", "clerk", "admin", "supervisor", "planner", "agent")
# What ends the very session that asks: it is opened again.
ENDING = {
    "DELETE /v1/sessions/current", "DELETE /v1/sessions/{session_id}", "POST /v1/officers/me/password",
    "POST /v1/officers/me/factor", "DELETE /v1/officers/me/factor", "POST /v1/officers/me/factor/confirmation",
}  # fmt: skip


class Callers:
    """Who calls each operation, and what stands on the node for it to be called about."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.rights = {f"{call.method} {call.route}": call.right for call in CALLS}
        self.bodies = {write.name: write.body for write in JSON_WRITES}
        self.tablet, spare = desk.node.tablet(QUARTIER), desk.node.tablet(QUARTIER)
        desk.node.push(spare, b"{", {"kind": "household", "id": desk.ids["households"], "set": {"tenure": "?"}})
        listed = desk.get("/v1/quarantine", "supervisor").json()["items"]
        desk.ids |= {"dev": spare.dev, "quarantine": str(listed[0]["id"])}
        self.device = device_headers(desk.node, self.tablet)

    def role_of(self, label: str) -> str | None:
        """The first role that may; "device" for a tablet's session, None for nobody in particular."""
        right = self.rights[label]
        if right in (PUBLIC, PROOF):
            return None
        if right == DEVICE:
            return "device"
        return next(role for role in FIRST if ROLES[role] & set(right.split("|")))

    def headers_of(self, label: str) -> Callable[[], Headers]:
        """What gives the headers of each call of this operation."""
        role = self.role_of(label)
        if role == "device":
            return lambda: self.device
        if label in ENDING and role is not None:
            return lambda: self.desk.node.officer(role)
        said = self.desk.headers[role]
        return lambda: said

    def planted(self, operation: APIOperation[Any, Any, Any, Any]) -> Planted:
        """The ids of what exists, by the names of this operation's parameters."""
        kind = operation.path.removeprefix("/v1/").partition("/")[0]
        ids = self.desk.ids
        known = {
            **ids, "id": ids.get(kind, ""), "commune": "CD-KN-017", "quartier": QUARTIER, "area": QUARTIER,
            "office": "CD-KN-017-01", "book": ids["register_id"], "year": "2026", "month": "2026-01",
        }  # fmt: skip
        if operation.path.startswith("/v1/offices"):
            known["code"] = "CD-KN-017-01"
        return Planted(known, self.bodies.get(operation.label, {}))
