"""The calls about possible duplicates in the matrix of roles, and two declarations of one child of Kintambo."""

from __future__ import annotations

from collections.abc import Mapping

from tests.access.call import ELSEWHERE, NOTHING, OWN, Call
from tests.nodes import TestNode, new

PAIR = "/v1/duplicates/{first}/{second}/decision"
CALLS: list[Call] = [
    Call("GET", "/v1/duplicates", "match", elsewhere=NOTHING),
    Call("GET", "/v1/duplicates", "match", elsewhere=ELSEWHERE, path=f"/v1/duplicates?commune={OWN}"),
    Call("GET", "/v1/duplicates", "match", elsewhere=NOTHING, path="/v1/duplicates?state=decided"),
    Call(
        "POST", PAIR, "match", elsewhere=ELSEWHERE, path="/v1/duplicates/{one_child}/{same_child}/decision",
        body={"verdict": "unsure"},
    ),
]  # fmt: skip


def plant(node: TestNode, _ids: Mapping[str, str]) -> dict[str, str]:
    """One child declared twice, and a pair that was decided."""
    child = {
        "nom": "Tshimanga", "postnom": "Kalala", "sex": "F", "birth_date": "2025-12-24", "birth_precision": "day",
        "mother_name": "Kapinga Ntumba Marie", "declared_on": "2026-01-30", "commune": OWN,
    }  # fmt: skip
    other = child | {
        "nom": "Mutombo",
        "postnom": "Nzeba",
        "birth_date": "2025-11-03",
        "mother_name": "Bea Ilunga",
    }
    lines = [new("birth", each) for each in (child, child | {"nom": "Cimanga"}, other, other)]
    with node.database.write() as connection:
        node.door.write(connection, lines, by="essai")
    one, same, settled, again = (line["id"] for line in lines)
    path = f"/v1/duplicates/{settled}/{again}/decision"
    answer = node.client.post(path, json={"verdict": "different"}, headers=node.officer("clerk", OWN))
    assert answer.status_code == 200, answer.text
    return {"one_child": one, "same_child": same}
