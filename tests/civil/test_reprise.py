"""Old paper books enter the register: all lines of a file or none, every wrong line named, nothing twice."""

from __future__ import annotations

import json
from typing import Any

import httpx
import sqlalchemy as sa

from app.ledger.tables import batch
from tests.civil.conftest import Headers, row, rows
from tests.nodes import TestNode

PATH = "/v1/imports/acts"
BOOK = {"office": "CD-KN-017-01", "year": 2011, "volume": "1", "registered_on": "2011-06-30"}


def paper(number: int | None, **fields: Any) -> dict[str, Any]:
    """An act of 30 June 2011 as somebody keyed it; a field given as None is left out."""
    born = {
        "nom": "Ilunga",
        "sex": "M",
        "birth_date": "2011-06-01",
        "declared_on": "2011-06-30",
        "mode": "direct",
    }
    line = BOOK | born | {"number": number, "folio": str(number)} | fields
    return {name: value for name, value in line.items() if value is not None}


def send(
    node: TestNode, headers: Headers, *lines: dict[str, Any] | bytes, key: str | None = "reprise-0001"
) -> httpx.Response:
    body = b"\n".join(
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines
    )
    typed = headers | {"Content-Type": "application/x-ndjson"} | ({"Idempotency-Key": key} if key else {})
    return node.client.post(PATH, content=body + b"\n", headers=typed)


def refused(node: TestNode, headers: Headers, *lines: dict[str, Any] | bytes) -> list[tuple[int, str, str]]:
    answer = send(node, headers, *lines)
    assert (answer.status_code, answer.json()["code"]) == (422, "import_refused"), answer.text
    assert rows(node, "act") == rows(node, "birth") == []
    return [(error["line"], error["field"], error["message"]) for error in answer.json()["errors"]]


def test_a_book_of_2011_enters_with_the_delays_of_its_time(kintambo: TestNode, registrar: Headers) -> None:
    judgment = {"court": "Tripaix Kinshasa/Ngaliema", "number": 1204, "date": "2011-05-30"}
    answer = send(
        kintambo,
        registrar,
        paper(17, birth_date="2011-04-01"),
        paper(18, birth_date="2011-03-31", judgment=judgment, mode="judgment"),
        paper(19, birth_date=None, nom="Mbuyi", multiple="twin", order=1, declared_on=None),
    )
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["acts"], found["delays"]) == (3, {"in_delay": 1, "out_of_delay": 1, "undetermined": 1})
    place = {"office": "CD-KN-017-01", "year": 2011, "volume": "1"}
    assert {**found["first"], "id": None} == {**place, "number": 17, "id": None}
    assert {**found["last"], "id": None} == {**place, "number": 19, "id": None}
    first, last = row(kintambo, "act", found["first"]["id"]), row(kintambo, "act", found["last"]["id"])
    (late,) = [act for act in rows(kintambo, "act") if act["number"] == 18]
    expected = {
        "provenance": "reprise",
        "drawn_at": "2026-02-02T09:00:00.000Z",
        "registered_on": "2011-06-30",
        "delay": "in_delay",
        "delay_days": 90,
        "delay_limit": 90,
        "folio": "17",
        "person": None,
    }
    assert {name: first[name] for name in expected} == expected
    assert (late["delay"], late["delay_days"], late["judgment_number"]) == ("out_of_delay", 91, "1204")
    assert (last["delay"], last["declared_on"], json.loads(last["facts"])["order"]) == (
        *("undetermined", "2011-06-30"),
        1,
    )
    assert {birth["commune"] for birth in rows(kintambo, "birth")} == {"CD-KN-017"}
    assert rows(kintambo, "task") == rows(kintambo, "person") == []


def test_who_keyed_a_paper_act_is_kept(kintambo: TestNode) -> None:
    officer, username = kintambo.add_officer("registrar")
    token = kintambo.client.post(
        "/v1/sessions", json={"username": username, "password": "tiges de bambou 2026"}
    ).json()["token"]
    send(kintambo, {"Authorization": f"Bearer {token}"}, paper(1))
    (act,) = rows(kintambo, "act")
    assert (act["drawn_by"], json.loads(act["facts"])["officer_name"]) == (officer, username.title())


def test_every_wrong_line_is_named_and_the_right_ones_wait(kintambo: TestNode, registrar: Headers) -> None:
    found = refused(
        kintambo,
        registrar,
        paper(1),
        paper(0),
        b'{"nom": "Ilunga"',
        paper(2, registered_on="2011-02-30"),
        paper(3, birth_date="2011-07-01"),
        paper(4, year=2012),
        paper(5, office="CD-KN-008-01"),
        paper(6, office="CD-KN-099-01"),
        paper(1),
        b"",
        paper(7, nom="Il\u0007unga"),
        b'{"number": 8, "number": 9}',
        b"\xff",
        b"[1]",
        paper(None, volume=None),
        paper(9, judgment={"court": "Tripaix", "number": "1", "date": "2011-07-01"}),
        paper(10, declared_on="2011-07-01"),
        paper(11, year=2027, registered_on="2027-01-01", declared_on="2011-06-30"),
        b'{"number": NaN}',
        paper(12, judgment={"court": "Tripaix", "number": "1"}),
    )
    assert [(line, field) for line, field, _ in found] == [
        (2, "number"),
        (3, ""),
        (4, "registered_on"),
        (5, "birth_date"),
        (6, "year"),
        (7, "office"),
        (8, "office"),
        (9, "number"),
        (10, ""),
        (11, "nom"),
        (12, "number"),
        (13, ""),
        (14, ""),
        (15, "volume"),
        (15, "number"),
        (16, "judgment.date"),
        (17, "declared_on"),
        (18, "registered_on"),
        (19, ""),
        (20, "judgment.date"),
    ]
    messages = {line: message for line, _, message in found}
    assert messages[2] == "Au moins 1."
    assert "calendrier" in messages[4]
    assert messages[9] == "Ce numéro est déjà à la ligne 1."
    assert messages[12] == "Ce champ est écrit deux fois."
    assert messages[20] == "Champ obligatoire."


def test_of_many_wrong_lines_fifty_are_shown_and_all_counted(kintambo: TestNode, registrar: Headers) -> None:
    answer = send(kintambo, registrar, *(paper(n, sex="?") for n in range(1, 61))).json()
    assert (len(answer["errors"]), answer["total"]) == (50, 60)
    assert answer["errors"][49] == {"line": 50, "field": "sex", "message": "Valeurs admises : 'M' ou 'F'."}


def test_a_number_already_in_the_book_is_refused_with_its_line(
    kintambo: TestNode, registrar: Headers
) -> None:
    assert send(kintambo, registrar, paper(1), paper(2)).status_code == 201
    again = send(kintambo, registrar, paper(3), paper(2), key="reprise-0002")
    assert again.status_code == 422
    assert [(e["line"], e["field"]) for e in again.json()["errors"]] == [(2, "number")]
    assert send(kintambo, registrar, paper(2, volume="2"), key="reprise-0003").status_code == 201
    assert len(rows(kintambo, "act")) == len(rows(kintambo, "birth")) == 3


def test_the_same_file_sent_again_gets_the_same_answer(kintambo: TestNode, registrar: Headers) -> None:
    first = send(kintambo, registrar, paper(1))
    assert send(kintambo, registrar, paper(1)).content == first.content
    assert len(rows(kintambo, "act")) == 1
    other = send(kintambo, registrar, paper(2))
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    without = send(kintambo, registrar, paper(2), key=None)
    assert (without.status_code, without.json()["code"]) == (400, "idempotency_key_required")


def test_a_file_is_neither_empty_nor_longer_than_a_thousand_lines(
    kintambo: TestNode, registrar: Headers
) -> None:
    assert refused(kintambo, registrar, b"", b" ") == [(1, "", "Le fichier est vide.")]
    answer = send(kintambo, registrar, *[b"{}"] * 1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_only_a_registrar_takes_over_paper(kintambo: TestNode, clerk: Headers) -> None:
    answer = send(kintambo, clerk, paper(1))
    assert (answer.status_code, answer.json()["code"]) == (403, "role_forbidden")


def test_many_lines_cost_as_many_statements_as_few(kintambo: TestNode, registrar: Headers) -> None:
    """But for the batches themselves, which the protocol bounds at 1 MiB."""
    counted: list[str] = []

    def note(*arguments: Any) -> None:
        counted.append(arguments[2])

    assert send(kintambo, registrar, paper(1)).status_code == 201
    sa.event.listen(kintambo.database.engine, "before_cursor_execute", note)
    costs = []
    for key, lines in ((2, range(2, 102)), (3, range(102, 402))):
        counted.clear()
        answer = send(kintambo, registrar, *(paper(n) for n in lines), key=f"reprise-{key:04d}")
        assert answer.status_code == 201, answer.text
        costs.append(len(counted))
    assert costs[0] == costs[1]
    with kintambo.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(batch)).scalar_one() == 3


def test_the_registrar_goes_on_after_the_last_paper_number(
    kintambo: TestNode, registrar: Headers, clerk: Headers
) -> None:
    now = {
        "year": 2026,
        "registered_on": "2026-01-15",
        "declared_on": "2026-01-15",
        "birth_date": "2026-01-02",
    }
    assert send(kintambo, registrar, paper(41, **now), paper(40, **now)).status_code == 201
    birth = kintambo.client.post(
        "/v1/births", json={"nom": "Mbuyi", "birth_date": "2026-01-20"}, headers=clerk
    )
    answer = kintambo.client.post(
        f"/v1/births/{birth.json()['id']}/registration",
        json={"office": "CD-KN-017-01", "volume": "1"},
        headers=registrar,
    )
    assert answer.json()["number"] == 42
