"""Who may open offices and volumes, send volets and give provisional numbers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from tests.access.call import ELSEWHERE, NOTHING, OWN, Call
from tests.nodes import TestNode, new

OFFICE = f"{OWN}-01"
INITIALS = {"initialled_on": "2026-01-02", "initialled_by": "Parquet"}


def _volume(_ids: Mapping[str, str], n: int) -> dict[str, str]:
    return {"office": OFFICE, "volume": f"M{n}"}


CALLS: list[Call] = [
    Call("GET", "/v1/communes/{code}/offices", "territory", path=f"/v1/communes/{OWN}/offices"),
    Call("POST", "/v1/offices", "register", "201", ELSEWHERE, body={"commune": OWN, "name": "Bureau"}),
    Call(
        "POST", "/v1/offices/{code}/closing", "register", "409 office_closed", ELSEWHERE,
        f"/v1/offices/{OWN}-90/closing", body={"valid_to": "2026-02-02"},
    ),
    Call("POST", "/v1/registers", "register", "201", ELSEWHERE, body=_volume),
    Call("GET", "/v1/registers", "read declarations", elsewhere=NOTHING),
    Call("GET", "/v1/registers", "read declarations", elsewhere=ELSEWHERE, path=f"/v1/registers?commune={OWN}"),
    Call(
        "GET", "/v1/registers/gaps", "read declarations", elsewhere=ELSEWHERE,
        path=f"/v1/registers/gaps?office={OFFICE}&year=2026",
    ),
    Call("GET", "/v1/registers/{register_id}", "read declarations", elsewhere=ELSEWHERE, path="/v1/registers/{book}"),
    Call(
        "POST", "/v1/registers/{register_id}/initials", "register", "409 volume_initialled", ELSEWHERE,
        "/v1/registers/{book}/initials", body=INITIALS,
    ),
    Call(
        "POST", "/v1/registers/{register_id}/closing", "register", "409 volume_closed", ELSEWHERE,
        "/v1/registers/{closed_book}/closing", body={},
    ),
    Call(
        "POST", "/v1/registers/{register_id}/volets", "deliver", "409 no_act_to_send", ELSEWHERE,
        "/v1/registers/{closed_book}/volets", body={"volet": 2, "slip": "B-1"},
    ),
    Call(
        "GET", "/v1/registers/{register_id}/volets", "read declarations", elsewhere=ELSEWHERE,
        path="/v1/registers/{book}/volets",
    ),
    Call("POST", "/v1/acts/{act_id}/volets", "deliver", "201", ELSEWHERE, "/v1/acts/{act}/volets", body={"volet": 2}),
    Call("GET", "/v1/acts/{act_id}/volets", "read declarations", elsewhere=ELSEWHERE, path="/v1/acts/{act}/volets"),
    Call(
        "POST", "/v1/births/{birth_id}/provisional", "deliver", "409 already_registered", ELSEWHERE,
        "/v1/births/{birth}/provisional", body={"office": OFFICE, "reason": "Plus de registre."},
    ),
    Call("GET", "/v1/provisionals", "read declarations", elsewhere=NOTHING),
    Call("GET", "/v1/provisionals", "read declarations", elsewhere=ELSEWHERE, path=f"/v1/provisionals?commune={OWN}"),
]  # fmt: skip


def plant(node: TestNode, ids: Mapping[str, str]) -> dict[str, str]:
    """A volume with its cote et paraphe, one closed that was opened twice, a closed office, a volet sent, a number that
    was provisional."""
    place = {"commune": OWN, "office": OFFICE, "register": "birth", "year": 2026}
    opened = new("book", {**place, **INITIALS, "volume": "1", "opened_on": "2026-01-05"})
    closed = new("book", {**place, "volume": "0", "closed_on": "2026-01-31"})
    office = {"commune": OWN, "code": f"{OWN}-90", "name": "Ancien bureau", "valid_to": "2026-01-01"}
    waited = {"commune": OWN, "office": OFFICE, "birth": ids["birth"], "number": 1, "stage": "numbered"}
    sent = {"commune": OWN, "act": ids["act"], "volet": 4, "holder": "commune"}
    others = [new("book", {**place, "volume": "0"}), new("office", office), new("provisional", waited)]
    operations = [opened, closed, *others, new("volet", sent)]
    with node.database.write() as connection:
        node.door.write(connection, operations, by=str(uuid.uuid4()))
    return {"book": opened["id"], "closed_book": closed["id"]}
