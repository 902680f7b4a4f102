"""A registrar opens the volumes of the year with their cote et paraphe, sees what is left of them, and closes them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from tests.civil.conftest import BOOK, INITIALS, Headers, code, open_volume, register, row, rows
from tests.nodes import TestNode, new

Declare = Callable[..., str]


def read(node: TestNode, headers: Headers, volume: str) -> dict[str, Any]:
    answer = node.client.get(f"/v1/registers/{volume}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def close(node: TestNode, headers: Headers, volume: str) -> httpx.Response:
    return node.client.post(f"/v1/registers/{volume}/closing", json={}, headers=headers)


def warned(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 201, answer.text
    return [each["code"] for each in answer.json()["warnings"]]


def test_a_volume_is_opened_with_the_sheets_of_the_law_and_who_initialled_it(
    kintambo: TestNode, registrar: Headers
) -> None:
    found = read(kintambo, registrar, open_volume(kintambo, registrar))
    expected = {
        "commune": "CD-KN-017",
        "office": "CD-KN-017-01",
        "register": "birth",
        "year": 2026,
        "volume": "1",
        "state": "open",
        "sheets": 534,
        "sheets_left": 534,
        "acts": 0,
        "last_number": None,
        "initialled": True,
        "initialled_on": "2026-01-02",
        "initialled_by": "Parquet de Kinshasa/Gombe",
        "opened_on": "2026-02-02",
        "closed_on": None,
    }
    assert {name: found[name] for name in expected} == expected


def test_a_volume_tells_what_was_written_and_what_is_left(
    kintambo: TestNode, declare: Declare, registrar: Headers, clerk: Headers
) -> None:
    volume, other = open_volume(kintambo, registrar, sheets=3), open_volume(kintambo, registrar, volume="2")
    for _ in range(2):
        assert warned(register(kintambo, registrar, declare())) == []
    assert warned(register(kintambo, registrar, declare(), volume="2")) == []
    found = read(kintambo, clerk, volume)
    assert (found["acts"], found["last_number"], found["sheets_left"]) == (2, 2, 1)
    assert read(kintambo, clerk, other)["last_number"] == 3
    assert warned(register(kintambo, registrar, declare())) == []
    assert warned(register(kintambo, registrar, declare())) == ["volume_full"]
    assert read(kintambo, clerk, volume)["sheets_left"] == 0


def test_an_act_in_a_volume_nobody_opened_or_initialled_is_drawn_up_and_pointed_out(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    assert warned(register(kintambo, registrar, declare())) == ["volume_not_opened"]
    answer = kintambo.client.post("/v1/registers", json=BOOK, headers=registrar)
    assert answer.json()["initialled"] is False
    assert warned(register(kintambo, registrar, declare())) == ["volume_not_initialled"]
    path = f"/v1/registers/{answer.json()['id']}/initials"
    future = kintambo.client.post(path, json=INITIALS | {"initialled_on": "2026-02-03"}, headers=registrar)
    assert code(future) == (422, "invalid_input")
    found = kintambo.client.post(path, json=INITIALS, headers=registrar).json()
    assert (found["initialled"], found["initialled_by"]) == (True, "Parquet de Kinshasa/Gombe")
    assert code(kintambo.client.post(path, json=INITIALS, headers=registrar)) == (409, "volume_initialled")
    assert warned(register(kintambo, registrar, declare())) == []


def test_a_closed_volume_says_in_words_what_it_holds_and_takes_no_act(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    volume = open_volume(kintambo, registrar)
    place = {"office": BOOK["office"], "year": 2026, "volume": "1", "commune": "CD-KN-017"}
    with kintambo.database.write() as connection:
        held = [new("act", {**place, "number": number}) for number in range(1, 71)]
        kintambo.door.write(connection, held, by=str(uuid.uuid4()))
    register(kintambo, registrar, declare())
    closed = close(kintambo, registrar, volume)
    assert closed.status_code == 200, closed.text
    found = closed.json()
    assert (found["state"], found["closed_on"], found["closed_acts"]) == ("closed", "2026-02-02", 71)
    statement = found["statement"]
    assert "septante et un (71) actes de naissance, le dernier portant le numéro 71" in statement
    assert f"par nous, {found['closed_name']}, officier de l'état civil" in statement
    assert statement.endswith("le deuxième jour du mois de février de l'an deux mille vingt-six.")
    refused = declare()
    assert code(register(kintambo, registrar, refused)) == (409, "volume_closed")
    assert code(close(kintambo, registrar, volume)) == (409, "volume_closed")
    assert register(kintambo, registrar, refused, volume="2").json()["number"] == 72
    assert read(kintambo, registrar, volume) == found
    assert row(kintambo, "book", volume)["closed_by"] is not None


def test_an_empty_volume_is_closed_as_empty(kintambo: TestNode, registrar: Headers) -> None:
    found = close(kintambo, registrar, open_volume(kintambo, registrar)).json()
    assert (found["closed_acts"], "ne contient aucun acte" in found["statement"]) == (0, True)


def test_a_volume_is_opened_once(kintambo: TestNode, registrar: Headers) -> None:
    volume = open_volume(kintambo, registrar)
    again = kintambo.client.post("/v1/registers", json=BOOK, headers=registrar)
    assert (code(again), again.json()["register"]) == ((409, "volume_opened"), volume)
    headers = registrar | {"Idempotency-Key": "volume-000001"}
    first, repeated = (
        kintambo.client.post("/v1/registers", json=BOOK | {"volume": "2"}, headers=headers) for _ in range(2)
    )
    assert (first.status_code, repeated.content) == (201, first.content)
    assert len(rows(kintambo, "book")) == 2


def test_a_volume_of_a_year_to_come_or_of_another_commune_is_refused(
    kintambo: TestNode, registrar: Headers, clerk: Headers
) -> None:
    def refused(headers: Headers = registrar, **values: Any) -> tuple[int, str]:
        return code(kintambo.client.post("/v1/registers", json=BOOK | values, headers=headers))

    assert refused(year=2028) == (422, "invalid_input")
    assert refused(opened_on="2026-02-03") == (422, "invalid_input")
    assert refused(initialled_on="2026-02-03") == (422, "invalid_input")
    assert refused(office="CD-KN-017-44") == (404, "office_unknown")
    assert refused(office="CD-KN-008-01") == (403, "other_commune")
    assert refused(clerk) == (403, "role_forbidden")
    assert open_volume(kintambo, registrar, year=2027) != open_volume(kintambo, registrar, year=1988)
    assert code(kintambo.client.get("/v1/registers/demain", headers=registrar)) == (404, "register_unknown")
    unknown = kintambo.client.get(f"/v1/registers/{uuid.uuid4()}", headers=registrar)
    assert code(unknown) == (404, "register_unknown")


def test_the_volumes_are_listed_by_office_year_and_volume_page_by_page(
    kintambo: TestNode, registrar: Headers
) -> None:
    for year, volume in ((2026, "2"), (2025, "1"), (2026, "1")):
        open_volume(kintambo, registrar, year=year, volume=volume)

    def listed(**asked: Any) -> dict[str, Any]:
        answer = kintambo.client.get("/v1/registers", params=asked, headers=registrar)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    whole = [(each["year"], each["volume"]) for each in listed()["items"]]
    assert whole == [(2025, "1"), (2026, "1"), (2026, "2")]
    first = listed(limit=2)
    rest = listed(limit=2, cursor=first["next"])
    pages = [(each["year"], each["volume"]) for each in (*first["items"], *rest["items"])]
    assert (pages, rest["next"]) == (whole, None)
    assert [each["year"] for each in listed(year=2025, office="CD-KN-017-01")["items"]] == [2025]
    assert listed(office="CD-KN-017-02")["items"] == []
    other = kintambo.client.get("/v1/registers", params={"commune": "CD-KN-008"}, headers=registrar)
    assert code(other) == (403, "other_commune")


def test_a_volume_opened_on_two_servers_keeps_both_and_is_one_finding(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    volume = open_volume(kintambo, registrar)
    other = {**BOOK, "commune": "CD-KN-017", "year": 2026, "register": "birth", "sheets": 534}
    copy = new("book", other | {"opened_on": "2026-02-01"})
    with kintambo.database.write() as connection:
        kintambo.door.write(connection, [copy], by=str(uuid.uuid4()))
    answer = kintambo.client.get("/v1/registers", headers=registrar)
    assert {each["id"] for each in answer.json()["items"]} == {volume, copy["id"]}
    asked = {"office": BOOK["office"], "year": 2026}
    (found,) = kintambo.client.get("/v1/registers/gaps", params=asked, headers=registrar).json()["items"]
    assert (found["code"], set(found["registers"])) == ("volume_opened_twice", {volume, copy["id"]})
    assert register(kintambo, registrar, declare()).status_code == 201
    close(kintambo, registrar, volume)
    assert code(register(kintambo, registrar, declare())) == (409, "volume_closed")


def test_a_volume_is_closed_on_a_day_somebody_believes(kintambo: TestNode, registrar: Headers) -> None:
    volume = open_volume(kintambo, registrar)
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(days=-3))
    assert code(close(kintambo, registrar, volume)) == (409, "clock_unsure")
