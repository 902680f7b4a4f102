"""The matrix's lines of the late procedure: files, their steps, the transcription, and campaigns."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from app.access.officers import Officer
from app.civil.late.campaigns import open_campaign
from app.civil.late.opening import Opening, open_procedure
from tests.access.call import BOOK, ELSEWHERE, NOTHING, OWN, Call
from tests.nodes import TestNode, new

FILE = "/v1/procedures/{procedure_id}"
CALLS: list[Call] = [
    Call(
        "POST", "/v1/births/{birth_id}/procedure", "declare", "409 procedure_open", ELSEWHERE,
        "/v1/births/{late_birth}/procedure", body={},
    ),
    Call("GET", "/v1/procedures", "read declarations", elsewhere=NOTHING),
    Call("GET", "/v1/procedures", "read declarations", elsewhere=ELSEWHERE, path=f"/v1/procedures?commune={OWN}"),
    Call("GET", FILE, "read declarations", elsewhere=ELSEWHERE, path="/v1/procedures/{procedure}"),
    Call(
        "POST", f"{FILE}/steps", "declare", "201", ELSEWHERE, "/v1/procedures/{procedure}/steps",
        body={"step": "sent", "on": "2026-02-01"},
    ),
    Call(
        "POST", f"{FILE}/transcription", "register", "409 procedure_blocked", ELSEWHERE,
        "/v1/procedures/{procedure}/transcription", body=BOOK,
    ),
    Call(
        "POST", "/v1/campaigns", "declare", "201", ELSEWHERE,
        body={"name": "Audience foraine", "commune": OWN, "starts_on": "2026-02-01"},
    ),
    Call("GET", "/v1/campaigns", "read declarations", elsewhere=NOTHING),
    Call("GET", "/v1/campaigns", "read declarations", elsewhere=ELSEWHERE, path=f"/v1/campaigns?commune={OWN}"),
]  # fmt: skip


def plant(node: TestNode, _ids: Mapping[str, str]) -> dict[str, str]:
    """A child of Kintambo declared too late, with the file opened for it, and a campaign."""
    clerk = Officer(str(uuid.uuid4()), "preposee", "Préposée", "clerk", OWN)
    child = {"nom": "Ilunga", "birth_date": "2019-05-02", "declared_on": "2026-02-01", "commune": OWN}
    birth, today = new("birth", child), node.node.clock.today()
    said = Opening(None, None, None, None, None)
    campaign = {"name": "Audience foraine 2026", "commune": OWN, "starts_on": "2026-01-15"}
    with node.database.write() as connection:
        node.door.write(connection, [birth], by=clerk.id)
        file = open_procedure(connection, node.door, clerk, birth=birth["id"], said=said, today=today)
        made = open_campaign(connection, node.door, clerk, values=campaign)
    return {"late_birth": birth["id"], "procedure": file.id, "campaign": made["id"]}
