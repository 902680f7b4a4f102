"""A birth from its declaration to the signature: drafted, read back, signed; and what a change between them does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.access.officers import Officer
from app.civil.registration import Entry, head_of
from app.ledger.changing import change
from tests.access.call import NOBODY
from tests.civil.conftest import Headers, row, rows
from tests.nodes import TestNode

Declare = Callable[..., str]
BOOK = {"office": "CD-KN-017-01", "volume": "1"}
READING = {"to": ["Jean Kabeya Ilunga"], "language": "lingala", "interpreter": "Paul Mukendi"}
JUDGMENT = {"court": "Tribunal pour enfants de Kinshasa/Gombe", "number": "RCE 1204", "date": "2026-01-15"}


def draw(node: TestNode, headers: Headers, birth: str, **entry: Any) -> httpx.Response:
    return node.client.post(f"/v1/births/{birth}/draft", json=BOOK | entry, headers=headers)


def read(node: TestNode, headers: Headers, birth: str, **said: Any) -> httpx.Response:
    return node.client.post(f"/v1/births/{birth}/draft/reading", json=READING | said, headers=headers)


def sign(node: TestNode, headers: Headers, birth: str, **entry: Any) -> httpx.Response:
    return node.client.post(f"/v1/births/{birth}/registration", json=BOOK | entry, headers=headers)


def file_of(node: TestNode, headers: Headers, birth: str) -> dict[str, Any]:
    answer = node.client.get(f"/v1/births/{birth}", headers=headers)
    assert answer.status_code == 200, answer.text
    return {**answer.json(), "etag": answer.headers["etag"]}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def correct(node: TestNode, birth: str, **values: Any) -> None:
    """The declaration says something else from now on, as a tablet or another desk may write it."""
    with node.database.write() as connection:
        table = node.door.registry.shapes["birth"].table
        stored = connection.execute(table.select().where(table.c.id == birth)).mappings().one()
        operation = change(connection, "birth", dict(stored), values=values)
        node.door.write(connection, [operation], by=NOBODY)


MODES: list[dict[str, Any]] = [
    {"mode": "direct", "facility": "facility", "paper": "medical", "paper_ref": "CN 12"},
    {"mode": "procuration", "facility": "facility", "paper": "medical", "paper_ref": "Procuration 7"},
    {"mode": "direct", "facility": "home", "paper": "home_report", "paper_ref": "Chef Mputu, 12/01/2026"},
    {"mode": "direct", "facility": "journey", "paper": "journey_report", "paper_ref": "Bateau Ngokila"},
    {"mode": "transcription", "paper": "other", "paper_ref": "Bruxelles, acte 512"},
]


@pytest.mark.parametrize("told", MODES, ids=["direct", "procuration", "home", "journey", "transcription"])
def test_a_birth_of_each_mode_walks_from_the_declaration_to_the_signature(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers, *, told: dict[str, Any]
) -> None:
    birth = declare(
        **told, declarant_name="Jean Kabeya Ilunga", declarant_relation="père", mother_name="Marie"
    )
    before = file_of(kintambo, clerk, birth)
    assert (before["stage"], before["draft"]) == ("declared", None)

    drawn = draw(kintambo, clerk, birth)
    assert drawn.status_code == 201, drawn.text
    draft = drawn.json()
    assert (draft["stage"], draft["stale"], draft["warnings"]) == ("drawn", False, [])
    assert draft["text"].startswith(
        "Acte de naissance n° ……… de l'année 2026, volume 1\nL'an deux mille vingt-six,"
    )
    assert ", nous, ………, officier" in draft["text"]
    assert told["paper_ref"] in draft["text"]
    assert file_of(kintambo, clerk, birth)["stage"] == "drawn"
    assert code(sign(kintambo, registrar, birth, draft=draft["id"])) == (409, "draft_not_read")

    heard = read(kintambo, clerk, birth, remarks="Aucune.")
    assert heard.status_code == 201, heard.text
    assert {name: heard.json()[name] for name in ("id", "stage", "read_to", "read_language", "remarks")} == {
        "id": draft["id"], "stage": "read", "read_to": ["Jean Kabeya Ilunga"], "read_language": "lingala",
        "remarks": "Aucune.",
    }  # fmt: skip
    between = file_of(kintambo, clerk, birth)
    assert between["stage"] == "read"

    signed = sign(kintambo, registrar, birth, draft=draft["id"])
    assert signed.status_code == 201, signed.text
    after = file_of(kintambo, clerk, birth)
    assert (after["stage"], after["act"]["id"]) == ("registered", signed.json()["id"])
    assert after["draft"] == {"id": draft["id"], "stage": "signed", "stale": False}
    assert len({each["etag"] for each in (before, between, after)}) == 3
    stored = row(kintambo, "draft", draft["id"])
    assert (stored["stage"], stored["act"]) == ("signed", signed.json()["id"])


def test_the_act_keeps_its_text_with_number_officer_and_reading(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    birth = declare()
    draft = draw(kintambo, clerk, birth).json()
    read(kintambo, clerk, birth)
    act = sign(kintambo, registrar, birth, draft=draft["id"]).json()
    shown = file_of(kintambo, registrar, birth)["text"].split("\n")
    assert shown[0] == "Acte de naissance n° 1 de l'année 2026, volume 1"
    name = json.loads(row(kintambo, "act", act["id"])["facts"])["officer_name"]
    assert f"à dix heures, nous, {name}, officier de l'état civil de la commune de Kintambo" in shown[1]
    assert shown[-1].startswith("Après lecture et traduction en langue lingala par l'interprète Paul Mukendi")
    # What was read is what is signed, but for the title, the officer and the language of the reading.
    assert shown[2:-1] == draft["text"].split("\n")[2:-1]


def test_a_registrars_own_draft_names_him_and_a_delegate_signs_as_one(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    drawn = draw(kintambo, registrar, declare()).json()
    assert (
        f", nous, {drawn['drawn_name']}, officier de l'état civil de la commune de Kintambo" in drawn["text"]
    )
    delegate = Officer(NOBODY, "delegue", "Awa Ngoy", "delegate", "CD-KN-017")
    entry = Entry("CD-KN-017-01", "1", None, None)
    now = kintambo.node.clock.now()
    with kintambo.database.read() as connection:
        head = head_of(connection, kintambo.door, entry, drawn=now, officer=delegate)
    assert (head.officer, head.capacity) == ("Awa Ngoy", "délégué de l'officier de l'état civil")


def test_an_act_without_a_draft_has_its_text_too(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth = declare(mother_name="Marie Kapinga")
    assert sign(kintambo, registrar, birth).status_code == 201
    found = file_of(kintambo, registrar, birth)
    assert (found["stage"], found["draft"]) == ("registered", None)
    assert "L'enfant a pour mère Marie Kapinga." in found["text"]


def test_a_declaration_that_changed_is_drafted_and_read_anew(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    birth = declare(mother_name="Marie Kapinga")
    first = draw(kintambo, clerk, birth).json()["id"]
    read(kintambo, clerk, birth)
    correct(kintambo, birth, mother_name="Marie Mbuyi Kapinga")
    assert code(sign(kintambo, registrar, birth, draft=first)) == (409, "draft_stale")
    assert code(read(kintambo, clerk, birth)) == (409, "draft_stale")
    stale = file_of(kintambo, clerk, birth)
    assert (stale["stage"], stale["draft"]["stale"]) == ("declared", True)
    assert kintambo.client.get(f"/v1/births/{birth}/draft", headers=clerk).json()["stale"] is True
    assert rows(kintambo, "act") == []

    second = draw(kintambo, clerk, birth).json()
    assert "Marie Mbuyi Kapinga" in second["text"]
    assert row(kintambo, "draft", first)["stage"] == "replaced"
    assert file_of(kintambo, clerk, birth)["draft"]["id"] == second["id"]
    read(kintambo, clerk, birth)
    assert code(sign(kintambo, registrar, birth, draft=first)) == (409, "draft_stale")
    assert sign(kintambo, registrar, birth, draft=second["id"]).status_code == 201


def test_a_late_birth_is_read_with_its_judgment_and_signed_on_it(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    birth = declare(birth_date="2015-05-01", mode="judgment", paper="judgment")
    assert code(draw(kintambo, clerk, birth)) == (422, "judgment_required")
    drawn = draw(kintambo, clerk, birth, judgment=JUDGMENT).json()
    assert drawn["judgment"] == JUDGMENT
    assert "jugement n° RCE 1204, rendu le quinzième jour du mois de janvier" in drawn["text"]
    read(kintambo, clerk, birth)
    other = JUDGMENT | {"number": "RCE 9"}
    assert code(sign(kintambo, registrar, birth, draft=drawn["id"], judgment=other)) == (409, "draft_stale")
    signed = sign(kintambo, registrar, birth, draft=drawn["id"])
    assert signed.status_code == 201, signed.text
    act = row(kintambo, "act", signed.json()["id"])
    assert (act["judgment_number"], act["judgment_date"]) == ("RCE 1204", "2026-01-15")


def test_what_is_registered_is_drafted_and_read_no_more(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    birth, other = declare(), declare(nom="Kanku")
    assert code(read(kintambo, clerk, birth)) == (404, "draft_unknown")
    assert code(sign(kintambo, registrar, birth, draft=other)) == (404, "draft_unknown")
    open_draft = draw(kintambo, clerk, birth).json()["id"]
    # Signed without naming the draft: it is given up.
    assert sign(kintambo, registrar, birth).status_code == 201
    assert row(kintambo, "draft", open_draft)["stage"] == "replaced"
    assert code(draw(kintambo, clerk, birth)) == (409, "already_registered")
    signed = draw(kintambo, clerk, other).json()["id"]
    read(kintambo, clerk, other)
    assert sign(kintambo, registrar, other, draft=signed).status_code == 201
    assert code(read(kintambo, clerk, other)) == (409, "already_registered")
    assert code(sign(kintambo, registrar, other, draft=signed)) == (409, "already_registered")


def test_a_second_reading_takes_the_place_of_the_first(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare()
    draw(kintambo, clerk, birth)
    read(kintambo, clerk, birth, remarks="Le nom de la mère est à vérifier.")
    again = kintambo.client.post(
        f"/v1/births/{birth}/draft/reading", json={"to": ["Marie"], "language": "français"}, headers=clerk
    ).json()
    found = {name: again[name] for name in ("read_to", "read_language", "interpreter", "remarks")}
    assert found == {"read_to": ["Marie"], "read_language": "français", "interpreter": None, "remarks": None}


def test_the_same_key_draws_one_draft_and_notes_one_reading(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare()
    once = clerk | {"Idempotency-Key": "projet-1"}
    first, second = draw(kintambo, once, birth), draw(kintambo, once, birth)
    assert first.json() == second.json()
    assert len(rows(kintambo, "draft")) == 1
    heard = clerk | {"Idempotency-Key": "lecture-1"}
    assert read(kintambo, heard, birth).json() == read(kintambo, heard, birth).json()


def test_a_draft_of_yesterday_is_signed_with_the_date_of_today(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare()
    draft = draw(kintambo, clerk, birth).json()["id"]
    read(kintambo, clerk, birth)
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(days=1))
    registrar = kintambo.officer("registrar")
    assert sign(kintambo, registrar, birth, draft=draft).json()["registered_on"] == "2026-02-03"
    text = file_of(kintambo, registrar, birth)["text"]
    assert "le troisième jour du mois de février" in text
    assert "La déclaration a été reçue le deuxième jour du mois de février" in text


def test_the_officer_of_another_commune_sees_and_draws_nothing(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare()
    draw(kintambo, clerk, birth)
    stranger = kintambo.officer("clerk", "CD-KN-008")
    for answer in (
        draw(kintambo, stranger, birth),
        read(kintambo, stranger, birth),
        kintambo.client.get(f"/v1/births/{birth}/draft", headers=stranger),
    ):
        assert code(answer) == (403, "other_commune")
