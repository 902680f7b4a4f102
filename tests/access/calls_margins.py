"""The matrix's lines of the margin: the act as it reads, notes and annulments."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from app.access.officers import Officer
from app.civil.margins.annulling import Decision, propose, withdraw
from tests.access.call import ELSEWHERE, NOTHING, OWN, Call
from tests.nodes import TestNode

NOTE = {"type": "legend", "reference": "1", "date": "2026-02-02"}
DECISION = {"court": "Tribunal", "reference": "RC 1", "date": "2026-02-02"}
ANNULMENT = "/v1/annulments/{annulment_id}"
CALLS: list[Call] = [
    Call("GET", "/v1/acts/{act_id}", "read declarations", elsewhere=ELSEWHERE, path="/v1/acts/{act}"),
    Call(
        "POST", "/v1/acts/{act_id}/annotations", "annotate", "422 invalid_input", ELSEWHERE,
        "/v1/acts/{act}/annotations", body=NOTE,
    ),
    Call(
        "POST", "/v1/acts/{act_id}/annulment", "annotate", "409 annulment_proposed", ELSEWHERE,
        "/v1/acts/{act}/annulment", body=DECISION,
    ),
    Call("GET", "/v1/annulments", "read declarations", elsewhere=NOTHING),
    Call("GET", "/v1/annulments", "read declarations", elsewhere=ELSEWHERE, path=f"/v1/annulments?commune={OWN}"),
    *(
        Call(
            "POST", f"{ANNULMENT}/{step}", "annotate", "409 annulment_settled", ELSEWHERE,
            f"/v1/annulments/{{withdrawn}}/{step}", body={},
        )
        for step in ("confirmation", "withdrawal")
    ),
]  # fmt: skip


def plant(node: TestNode, ids: Mapping[str, str]) -> dict[str, str]:
    """Two annulments of Kintambo's act: one taken back, one that waits for a second officer."""
    registrar = Officer(str(uuid.uuid4()), "officier", "Officier", "registrar", OWN)
    decision, today = Decision("Tribunal", "RC 1", "2026-02-02", None), node.node.clock.today()
    with node.database.write() as connection:
        asked = propose(connection, node.door, registrar, act=ids["act"], decision=decision, today=today)
        withdraw(connection, node.door, registrar, proposal=asked["id"], note=None)
        again = propose(connection, node.door, registrar, act=ids["act"], decision=decision, today=today)
    return {"withdrawn": asked["id"], "proposed": again["id"]}
