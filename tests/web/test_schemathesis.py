"""Schemathesis calls the whole API and finds no crash and no answer the description does not promise."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import xlsxwriter
from schemathesis import APIOperation

from sync.bundle import Record, write_bundle
from tests.access.call import DEVICE, PROOF, PUBLIC, QUARTIER, ROLES
from tests.access.matrix import CALLS
from tests.access.test_matrix import device_headers
from tests.nodes import household_of
from tests.web.desk import JSON_WRITES, Desk
from tests.web.fuzzing import Headers, Planted

# Who asks, when several may.
FIRST = ("registrar", "clerk", "admin", "supervisor", "planner", "agent")
# What ends the very session that asks: it is opened again.
ENDING = {
    "DELETE /v1/sessions/current", "DELETE /v1/sessions/{session_id}", "POST /v1/officers/me/password",
    "POST /v1/officers/me/factor", "DELETE /v1/officers/me/factor", "POST /v1/officers/me/factor/confirmation",
}  # fmt: skip

TAGGED = ("/v1/persons/{id}", "/v1/households/{id}", "/v1/conflicts/{id}")
HEADINGS = ("Bureau", "Année", "Volume", "N° acte", "Date de l'acte", "Nom", "Sexe")
LINE = ("CD-KN-017-01", 2011, "7", 1, "01/02/2011", "Ilunga", "M")
PAPER_ACT = (
    b'{"nom":"Ilunga","sex":"M","birth_date":"2011-01-05","office":"CD-KN-017-01","year":2011,"volume":"9",'
    b'"number":1,"registered_on":"2011-02-01"}\n'
)


def workbook() -> bytes:
    """A sheet of one act."""
    with io.BytesIO() as made:
        with xlsxwriter.Workbook(made) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, HEADINGS)
            sheet.write_row(1, 0, LINE)
        return made.getvalue()


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
        self.sealed = self.tablet.seal(household_of(2))
        bundle = write_bundle([Record("batch", *spare.seal(household_of(1)), None)])
        self.files = {
            "POST /sync/v1/batches": self.sealed[0], "POST /sync/v1/bundles": bundle,
            "POST /v1/imports/acts": PAPER_ACT, "POST /v1/imports": workbook(),
        }  # fmt: skip

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
        """The ids of what exists, by the names of this operation's parameters, and a body it accepts."""
        kind = operation.path.removeprefix("/v1/").partition("/")[0]
        ids, desk = self.desk.ids, self.desk
        known: dict[str, Any] = {
            **ids, "id": ids.get(kind, ""), "commune": "CD-KN-017", "quartier": QUARTIER, "area": QUARTIER,
            "office": "CD-KN-017-01", "book": ids["register_id"], "year": "2026", "month": "2026-01",
            "device-grant": self.tablet.grant, "batch-signature": self.sealed[1], "ep": "7",
        }  # fmt: skip
        if operation.path.startswith("/v1/offices"):
            known["code"] = "CD-KN-017-01"
        if operation.path == "/verify":
            known["code"] = desk.get(desk.path("/v1/documents/{document_id}"), "registrar").json()["signed_code"]
        if operation.path.startswith(TAGGED):
            about = desk.path(re.sub(r"(\{id\}).*", r"\1", operation.path))
            known["if-match"] = lambda: desk.get(about, "registrar").headers.get("etag", "")
        return Planted(known, self.files.get(operation.label) or self.bodies.get(operation.label, {}))
