"""Who may bring a file of paper acts, let it in, compare two keyings and arbitrate them."""

from __future__ import annotations

import uuid
from typing import Any

from app.access.officers import Officer
from app.civil.takeover.keying import compare_keyings
from app.civil.takeover.receiving import plan_for, receive
from tests.access.call import ELSEWHERE, NOTHING, OWN, Call, Ids
from tests.nodes import TestNode

HEADINGS = "Bureau;Année;Volume;N° acte;Date de l'acte;Nom;Sexe\n"


def _file(_ids: Ids, n: int) -> bytes:
    return f"{HEADINGS}CD-KN-017-01;2011;7;{n};01/02/2011;Ilunga;M\n".encode()


CALLS: list[Call] = [
    Call("POST", "/v1/imports", "declare", "201", body=_file),
    Call("GET", "/v1/imports", "declare", elsewhere=ELSEWHERE, path=f"/v1/imports?commune={OWN}"),
    Call("GET", "/v1/imports/{import_id}", "declare", elsewhere=ELSEWHERE, path="/v1/imports/{import}"),
    Call(
        "POST", "/v1/imports/{import_id}/run", "reprise", elsewhere=ELSEWHERE, path="/v1/imports/{import}/run",
        body={},
    ),
    Call(
        "POST", "/v1/keyings", "declare", "409 not_two_keyings", ELSEWHERE,
        body=lambda ids, _n: {"name": "Deux fois", "first": ids["keyed"], "second": ids["import"]},
    ),
    Call("GET", "/v1/keyings", "declare", elsewhere=NOTHING),
    Call("GET", "/v1/keyings", "declare", elsewhere=ELSEWHERE, path=f"/v1/keyings?commune={OWN}"),
    Call("GET", "/v1/keyings/{keying_id}", "declare", elsewhere=ELSEWHERE, path="/v1/keyings/{keying}"),
    Call(
        "GET", "/v1/keyings/{keying_id}/differences", "declare", elsewhere=ELSEWHERE,
        path="/v1/keyings/{keying}/differences",
    ),
    Call(
        "POST", "/v1/keyings/{keying_id}/arbitration", "declare", "404 keyed_line_unknown", ELSEWHERE,
        "/v1/keyings/{keying}/arbitration",
        body={"office": "CD-KN-017-01", "year": 2011, "volume": "8", "number": 999, "values": {}},
    ),
    Call(
        "POST", "/v1/keyings/{keying_id}/run", "reprise", elsewhere=ELSEWHERE, path="/v1/keyings/{keying}/run",
    ),
]  # fmt: skip


def plant(node: TestNode, ids: dict[str, str]) -> dict[str, str]:
    """A file of Kintambo, and two keyings of one page that differ."""

    def brought(name: str, row: str) -> str:
        officer = Officer(str(uuid.uuid4()), name, name.title(), "clerk", OWN)
        content = f"{HEADINGS}{row}\n".encode()
        plan = plan_for(content, None, sheet=None)
        return receive(node.database, node.door, officer=officer, content=content, name=name, plan=plan)

    page = "CD-KN-017-01;2011;8;1;01/02/2011;{};M"
    one, two = brought("premier", page.format("Ilunga")), brought("second", page.format("Ilonga"))
    reader = Officer(str(uuid.uuid4()), "lecteur", "Lecteur", "clerk", OWN)
    with node.database.write() as connection:
        keying = compare_keyings(connection, node.door, reader, name="Page 1", first=one, second=two)
    found: dict[str, Any] = {"import": brought("livre", page.format("Mbuyi").replace(";8;", ";6;"))}
    return found | {"keying": keying, "keyed": one}
