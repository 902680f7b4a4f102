"""Who may issue, print again and hand over documents, and what anybody may ask without a login."""

from __future__ import annotations

import uuid
from pathlib import Path

from app.access.officers import Officer
from app.documents.issuing import Order, issue_of_acts, issue_of_birth
from app.documents.printing import Press
from tests.access.call import ELSEWHERE, NOTHING, OWN, PUBLIC, Call, Ids
from tests.nodes import TestNode

EXTRACT = {"type": "extract"}
CALLS: list[Call] = [
    Call(
        "POST", "/v1/acts/{act_id}/documents", "deliver", "201", ELSEWHERE, "/v1/acts/{act}/documents", body=EXTRACT
    ),
    Call(
        "POST", "/v1/acts/documents", "deliver", "201", ELSEWHERE,
        body=lambda ids, _n: {"acts": [ids["act"]], "type": "extract"},
    ),
    Call("GET", "/v1/acts/{act_id}/documents", "read declarations", "200", ELSEWHERE, "/v1/acts/{act}/documents"),
    Call("POST", "/v1/births/{birth_id}/receipt", "deliver", "201", ELSEWHERE, "/v1/births/{birth}/receipt", body={}),
    Call(
        "POST", "/v1/births/{birth_id}/court-request", "deliver", "409 already_registered", ELSEWHERE,
        "/v1/births/{birth}/court-request", body={},
    ),
    Call("GET", "/v1/documents/{document_id}", "read declarations", "200", ELSEWHERE, "/v1/documents/{document}"),
    Call(
        "GET", "/v1/documents/{document_id}/pdf", "read declarations", "200", ELSEWHERE,
        "/v1/documents/{document}/pdf",
    ),
    Call("GET", "/v1/acts/undelivered", "read declarations", elsewhere=NOTHING),
    Call(
        "GET", "/v1/acts/undelivered", "read declarations", elsewhere=ELSEWHERE,
        path=f"/v1/acts/undelivered?commune={OWN}",
    ),
    Call(
        "POST", "/v1/documents/{document_id}/delivery", "deliver", "409 no_act_to_deliver", ELSEWHERE,
        "/v1/documents/{receipt}/delivery", body={"to_name": "Kapinga", "to_relation": "mère"},
    ),
    Call("GET", "/v1/keys", PUBLIC),
    Call("GET", "/v1/annulled", PUBLIC),
    Call("GET", "/verify", PUBLIC),
    Call("GET", "/verify", PUBLIC, path="/verify?code=MBK1:0"),
]  # fmt: skip


def plant(node: TestNode, ids: Ids) -> dict[str, str]:
    """An extract of the planted act and a receipt of its declaration, as the commune's clerk issued them."""
    clerk = Officer(str(uuid.uuid4()), "guichet", "Guichet", "clerk", OWN)
    press = Press(Path(node.node.settings.data) / "templates")
    today = node.node.clock.today()
    with node.database.write() as connection:
        order = Order("extract", None, today)
        extract = issue_of_acts(connection, node.door, clerk, acts=[ids["act"]], order=order, press=press)[0]
        order = Order("receipt", None, today)
        receipt = issue_of_birth(connection, node.door, clerk, birth=ids["birth"], order=order, press=press)
    return {"document": extract.id, "receipt": receipt.id}
