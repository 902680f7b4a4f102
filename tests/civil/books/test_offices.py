"""A commune opens and closes offices: acts are drawn up where an office works, and only there."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from tests.civil.conftest import Headers, code, register, rows
from tests.nodes import TestNode

Declare = Callable[..., str]
LUBUDI = {"commune": "CD-KN-017", "name": "Bureau secondaire de Lubudi"}


def open_office(node: TestNode, headers: Headers, **values: Any) -> httpx.Response:
    return node.client.post("/v1/offices", json=LUBUDI | values, headers=headers)


def close(node: TestNode, headers: Headers, office: str, valid_to: str) -> httpx.Response:
    return node.client.post(f"/v1/offices/{office}/closing", json={"valid_to": valid_to}, headers=headers)


def offices(node: TestNode, headers: Headers, commune: str = "CD-KN-017") -> list[dict[str, Any]]:
    answer = node.client.get(f"/v1/communes/{commune}/offices", headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_secondary_office_gets_the_next_code_and_anybody_may_look_it_up(
    kintambo: TestNode, registrar: Headers
) -> None:
    assert [(each["code"], each["main"]) for each in offices(kintambo, registrar)] == [("CD-KN-017-01", True)]
    made = open_office(kintambo, registrar, address="avenue Kasaï n° 4")
    assert made.status_code == 201, made.text
    second = open_office(kintambo, registrar, name="Bureau de l'hôpital")
    assert (made.json()["code"], second.json()["code"]) == ("CD-KN-017-02", "CD-KN-017-03")
    found = offices(kintambo, kintambo.officer("agent"))
    assert [each["code"] for each in found] == ["CD-KN-017-01", "CD-KN-017-02", "CD-KN-017-03"]
    assert found[1] == {
        "code": "CD-KN-017-02",
        "commune": "CD-KN-017",
        "name": "Bureau secondaire de Lubudi",
        "main": False,
        "address": "avenue Kasaï n° 4",
        "valid_from": "2026-02-02",
        "valid_to": None,
    }
    assert len(offices(kintambo, registrar, "CD-KN-008")) == 1


def test_a_birth_is_declared_and_registered_at_the_new_office(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    open_office(kintambo, registrar)
    birth = declare(office="CD-KN-017-02")
    main, secondary = declare(), register(kintambo, registrar, birth, office="CD-KN-017-02")
    assert secondary.status_code == 201, secondary.text
    assert (secondary.json()["office"], secondary.json()["number"]) == ("CD-KN-017-02", 1)
    assert register(kintambo, registrar, main).json()["number"] == 1


def test_old_books_of_a_secondary_office_are_taken_over(kintambo: TestNode, registrar: Headers) -> None:
    line = {"office": "CD-KN-017-02", "year": 2011, "volume": "I", "number": 4, "registered_on": "2011-03-02"}
    paper = json.dumps(line | {"nom": "Ilunga", "birth_date": "2011-02-01"})
    headers = registrar | {"Idempotency-Key": "registre-2011"}
    unknown = kintambo.client.post("/v1/imports/acts", content=paper, headers=headers)
    assert code(unknown) == (422, "import_refused")
    assert unknown.json()["errors"][0]["field"] == "office"
    open_office(kintambo, registrar)
    headers = registrar | {"Idempotency-Key": "registre-2011-bis"}
    taken = kintambo.client.post("/v1/imports/acts", content=paper, headers=headers)
    assert taken.status_code == 201, taken.text
    (act,) = rows(kintambo, "act")
    assert (act["office"], act["commune"], act["number"]) == ("CD-KN-017-02", "CD-KN-017", 4)


def test_a_closed_office_keeps_its_acts_and_takes_no_new_one(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    open_office(kintambo, registrar)
    first, second, third = declare(), declare(), declare()
    assert register(kintambo, registrar, first, office="CD-KN-017-02").status_code == 201
    closed = close(kintambo, registrar, "CD-KN-017-02", "2026-02-01")
    assert code(closed) == (422, "invalid_input")
    assert close(kintambo, registrar, "CD-KN-017-02", "2026-02-02").json()["valid_to"] == "2026-02-02"
    assert register(kintambo, registrar, second, office="CD-KN-017-02").status_code == 201
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(days=1))
    registrar = kintambo.officer("registrar")
    assert code(register(kintambo, registrar, third, office="CD-KN-017-02")) == (409, "office_closed")
    assert code(close(kintambo, registrar, "CD-KN-017-02", "2026-03-01")) == (409, "office_closed")
    assert len(rows(kintambo, "act")) == 2
    assert open_office(kintambo, registrar).json()["code"] == "CD-KN-017-03"


def test_an_office_that_is_not_open_yet_takes_no_act(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    open_office(kintambo, registrar, valid_from="2026-03-01")
    answer = register(kintambo, registrar, declare(), office="CD-KN-017-02")
    assert code(answer) == (409, "office_closed")


def test_even_the_main_office_of_the_lists_may_close(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    assert close(kintambo, registrar, "CD-KN-017-01", "2026-02-01").json()["name"] is not None
    assert code(register(kintambo, registrar, declare())) == (409, "office_closed")
    (known,) = offices(kintambo, registrar)
    assert (known["code"], known["main"], known["valid_to"]) == ("CD-KN-017-01", True, "2026-02-01")


def test_a_registrar_opens_no_office_of_another_commune(kintambo: TestNode, registrar: Headers) -> None:
    assert code(open_office(kintambo, registrar, commune="CD-KN-008")) == (403, "other_commune")
    assert code(open_office(kintambo, registrar, commune="CD-KN-099")) == (404, "commune_unknown")
    assert code(close(kintambo, registrar, "CD-KN-008-01", "2026-03-01")) == (403, "other_commune")
    assert code(close(kintambo, registrar, "CD-KN-017-88", "2026-03-01")) == (404, "office_unknown")
    unknown = kintambo.client.get("/v1/communes/CD-KN-099/offices", headers=registrar)
    assert code(unknown) == (404, "commune_unknown")
