"""The four volets of each sheet go their ways, one by one or a volume at a time, and the clerk sees which did not."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx

from app.access.journal import readings_of
from app.civil.books.volets import stretches
from tests.civil.books.test_numbering import held
from tests.civil.conftest import Headers, code, open_volume, register
from tests.nodes import TestNode

Declare = Callable[..., str]
GREFFE = {"volet": 2, "sent_to": "Greffe du tribunal de paix", "slip": "B-014/2026"}


def send(node: TestNode, headers: Headers, act: str, **values: Any) -> httpx.Response:
    return node.client.post(f"/v1/acts/{act}/volets", json=GREFFE | values, headers=headers)


def send_volume(node: TestNode, headers: Headers, volume: str, **values: Any) -> httpx.Response:
    return node.client.post(f"/v1/registers/{volume}/volets", json=GREFFE | values, headers=headers)


def volets(node: TestNode, headers: Headers, path: str) -> dict[str, Any]:
    answer = node.client.get(f"/v1/{path}/volets", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_court_gets_its_volet_and_the_clerk_sees_which_did_not_go(
    kintambo: TestNode, declare: Declare, registrar: Headers, clerk: Headers
) -> None:
    act = register(kintambo, registrar, declare()).json()
    assert volets(kintambo, clerk, f"acts/{act['id']}") == {"items": [], "not_sent": [1, 2, 3, 4]}
    made = send(kintambo, clerk, act["id"])
    assert made.status_code == 201, made.text
    expected = {"act": act["id"], "holder": "court", "sent_on": "2026-02-02", "note": None, **GREFFE}
    assert {name: made.json()[name] for name in expected} == expected
    found = volets(kintambo, clerk, f"acts/{act['id']}")
    assert (found["items"], found["not_sent"]) == ([made.json()], [1, 3, 4])
    with kintambo.database.read() as connection:
        routes = [each.route for each in readings_of(connection, [act["birth"]])]
    assert "GET /v1/acts/{id}/volets" in routes


def test_by_default_the_volets_go_to_parents_court_interior_and_commune(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    act = register(kintambo, registrar, declare()).json()["id"]
    holders = [send(kintambo, registrar, act, volet=volet).json()["holder"] for volet in (1, 2, 3, 4)]
    assert holders == ["parents", "court", "interior", "commune"]
    assert send(kintambo, registrar, act, volet=1, holder="commune").json()["holder"] == "commune"
    found = volets(kintambo, registrar, f"acts/{act}")
    assert ([each["volet"] for each in found["items"]], found["not_sent"]) == ([1, 1, 2, 3, 4], [])


def test_a_whole_volume_goes_to_the_court_with_one_slip(
    kintambo: TestNode, registrar: Headers, clerk: Headers
) -> None:
    volume = open_volume(kintambo, registrar)
    first, *_ = held(kintambo, *range(1, 8))
    held(kintambo, 8, volume="2")
    send(kintambo, clerk, first, slip="B-001/2026")
    part = send_volume(kintambo, clerk, volume, from_number=2, to_number=4)
    assert part.json() == {"sent": 3, "before": 0, "first": 2, "last": 4, "holder": "court"}
    rest = send_volume(kintambo, clerk, volume, slip="B-015/2026", sent_on="2026-02-01")
    assert rest.json() == {"sent": 3, "before": 4, "first": 5, "last": 7, "holder": "court"}
    assert code(send_volume(kintambo, clerk, volume)) == (409, "no_act_to_send")
    found = volets(kintambo, registrar, f"registers/{volume}")
    standing = {each["volet"]: (each["holder"], each["sent"], each["waiting"]) for each in found["items"]}
    assert standing == {
        1: ("parents", 0, 7),
        2: ("court", 7, 0),
        3: ("interior", 0, 7),
        4: ("commune", 0, 7),
    }
    assert found["items"][0]["numbers"] == [{"first": 1, "last": 7}]
    slips = [(each["slip"], each["acts"], each["first"], each["last"]) for each in found["slips"]]
    assert slips == [("B-001/2026", 1, 1, 1), ("B-014/2026", 3, 2, 4), ("B-015/2026", 3, 5, 7)]


def test_a_slip_sent_again_over_a_bad_line_counts_once(
    kintambo: TestNode, registrar: Headers, clerk: Headers
) -> None:
    volume = open_volume(kintambo, registrar)
    held(kintambo, 1, 2)
    headers = clerk | {"Idempotency-Key": "bordereau-14"}
    first, again = (send_volume(kintambo, headers, volume) for _ in range(2))
    assert (first.status_code, again.content) == (201, first.content)


def test_a_volet_goes_nowhere_tomorrow_and_not_from_another_commune(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    act = register(kintambo, registrar, declare()).json()["id"]
    assert code(send(kintambo, registrar, act, sent_on="2026-02-03")) == (422, "invalid_input")
    assert code(send(kintambo, registrar, act, volet=5)) == (422, "invalid_input")
    assert code(send(kintambo, registrar, act, sent_on="1960-01-01")) == (422, "invalid_input")
    assert code(send(kintambo, registrar, str(uuid.uuid4()))) == (404, "act_unknown")
    assert code(send_volume(kintambo, registrar, str(uuid.uuid4()))) == (404, "register_unknown")
    stranger = kintambo.officer("clerk", "CD-KN-008")
    assert code(send(kintambo, stranger, act)) == (403, "other_commune")


def test_numbers_are_told_as_stretches() -> None:
    assert stretches([7, 1, 2, 3, 3]) == [(1, 3), (7, 7)]
    assert stretches([]) == []
