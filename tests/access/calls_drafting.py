"""The matrix's lines of the life of a birth: the law on the wall, the draft of an act and its reading."""

from __future__ import annotations

from collections.abc import Mapping

from app.access.officers import Officer
from app.civil.declaration import declare
from app.civil.drafting.drafts import draw_up
from app.civil.registration import Entry
from tests.access.call import BOOK, ELSEWHERE, OWN, PUBLIC, Call
from tests.nodes import TestNode

DRAFT = "/v1/births/{birth_id}/draft"
READING = {"to": ["Jean Kabeya"], "language": "lingala"}

CALLS: list[Call] = [
    Call("GET", "/v1/law", PUBLIC),
    Call("POST", DRAFT, "declare", "201", ELSEWHERE, "/v1/births/{drafted}/draft", body=BOOK),
    Call("GET", DRAFT, "read declarations", elsewhere=ELSEWHERE, path="/v1/births/{drafted}/draft"),
    Call(
        "POST", f"{DRAFT}/reading", "declare", "201", ELSEWHERE, "/v1/births/{drafted}/draft/reading", body=READING,
    ),
]  # fmt: skip


def plant(node: TestNode, _ids: Mapping[str, str]) -> dict[str, str]:
    """A birth of Kintambo with a draft nobody has read back."""
    clerk = Officer("5b0f3a3c-6f0e-4f7e-8f63-2a9d5a2b7c12", "greffier", "Greffier", "clerk", OWN)
    child = {
        "nom": "Kanku",
        "sex": "M",
        "birth_date": "2026-01-12",
        "declared_on": "2026-02-02",
        "commune": OWN,
    }
    entry = Entry("CD-KN-017-01", "1", None, None)
    today = node.node.clock.today()
    with node.database.write() as connection:
        birth = declare(connection, node.door, clerk, values=child, today=today).id
        draw_up(connection, node.door, clerk, birth=birth, entry=entry, today=today)
    return {"drafted": birth}
