"""A declaration with a mistake is corrected at the desk until its act is drawn up, and never afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.access.tables import read_journal
from app.ledger.history import current_dots, registers_of
from app.ledger.tables import conflict
from tests.access.call import NOBODY
from tests.civil.conftest import BOOK, Headers, code, household, register, row, rows
from tests.nodes import TestNode

Declare = Callable[..., str]
READING = {"to": ["Marie Kapinga"], "language": "lingala"}


def read(node: TestNode, headers: Headers, birth: str) -> httpx.Response:
    answer = node.client.get(f"/v1/births/{birth}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def correct(
    node: TestNode, headers: Headers, birth: str, *, seen: str | None = None, **values: Any
) -> httpx.Response:
    """The answer to an officer who has just read the declaration, or has `seen` an older one."""
    tag = seen or read(node, headers, birth).headers["etag"]
    return node.client.patch(f"/v1/births/{birth}", json=values, headers=headers | {"If-Match": tag})


def draft(node: TestNode, headers: Headers, birth: str) -> str:
    """A draft drawn up and read back: its id."""
    drawn = node.client.post(f"/v1/births/{birth}/draft", json=BOOK, headers=headers)
    assert drawn.status_code == 201, drawn.text
    heard = node.client.post(f"/v1/births/{birth}/draft/reading", json=READING, headers=headers)
    assert heard.status_code == 201, heard.text
    return str(drawn.json()["id"])


def disputed(node: TestNode, birth: str) -> list[str]:
    with node.database.read() as connection:
        query = sa.select(conflict.c.register).where(conflict.c.id == birth)
        return sorted(connection.execute(query).scalars())


def warned(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["code"] for each in answer.json()["warnings"]]


def test_a_mistake_heard_at_the_reading_is_corrected_and_the_act_is_drafted_and_read_again(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    birth = declare(mother_name="Marie Kapinga")
    first = draft(kintambo, clerk, birth)
    before = read(kintambo, clerk, birth)
    answer = correct(kintambo, clerk, birth, mother_name="Marie Mbuyi Kapinga")
    assert warned(answer) == []
    shown, after = answer.json(), read(kintambo, clerk, birth)
    assert (shown["mother_name"], shown["nom"], shown["stage"]) == (
        "Marie Mbuyi Kapinga",
        "Mbuyi",
        "declared",
    )
    assert shown["draft"] == {"id": first, "stage": "read", "stale": True}
    assert {name: value for name, value in shown.items() if name != "warnings"} == after.json()
    assert answer.headers["etag"] == after.headers["etag"] != before.headers["etag"]
    assert code(register(kintambo, registrar, birth, draft=first)) == (409, "draft_stale")

    second = draft(kintambo, clerk, birth)
    assert register(kintambo, registrar, birth, draft=second).status_code == 201
    assert rows(kintambo, "act")[0]["mother_name"] == "Marie Mbuyi Kapinga"


def test_a_corrected_date_is_judged_anew_and_says_its_own_precision(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare(birth_date="2025", birth_precision="year")
    assert read(kintambo, clerk, birth).json()["delay"] == "undetermined"
    in_time = correct(kintambo, clerk, birth, birth_date="2026-01-10").json()
    assert (in_time["delay"], in_time["delay_days"], in_time["birth_precision"]) == ("in_delay", 23, "day")
    late = correct(kintambo, clerk, birth, birth_date="2025-11-03")
    assert (late.json()["delay"], late.json()["delay_days"]) == ("out_of_delay", 91)
    assert warned(late) == ["judgment_needed"]


def test_null_empties_a_field_and_what_is_not_named_stays(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare(father_name="Jean Kabeya", mother_name="Marie Kapinga", witnesses=["Thérèse Ngalula"])
    shown = correct(kintambo, clerk, birth, father_name=None, postnom=None).json()
    assert [shown[name] for name in ("father_name", "postnom")] == [None, None]
    kept = {
        "nom": "Mbuyi",
        "prenom": "Grâce",
        "mother_name": "Marie Kapinga",
        "witnesses": ["Thérèse Ngalula"],
    }
    assert {name: shown[name] for name in kept} == kept


def test_what_stands_already_is_not_written_again(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare(mother_name="Marie Kapinga")
    tag = read(kintambo, clerk, birth).headers["etag"]
    for values in ({}, {"mother_name": "Marie Kapinga", "sex": "F", "prenom": "Grâce", "father_name": None}):
        answer = correct(kintambo, clerk, birth, seen=tag, **values)
        assert (answer.status_code, answer.headers["etag"]) == (200, tag)


def test_a_stale_clerk_reads_again_before_he_corrects(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare()
    old = read(kintambo, clerk, birth).headers["etag"]
    assert correct(kintambo, clerk, birth, prenom="Gloire").status_code == 200
    stale = correct(kintambo, clerk, birth, seen=old, prenom="Grace")
    assert code(stale) == (412, "precondition_failed")
    assert stale.headers["etag"] == read(kintambo, clerk, birth).headers["etag"]
    # A draft drawn up meanwhile is something he has not seen either.
    before = stale.headers["etag"]
    draft(kintambo, clerk, birth)
    assert code(correct(kintambo, clerk, birth, seen=before, prenom="Grace")) == (412, "precondition_failed")
    unread = kintambo.client.patch(f"/v1/births/{birth}", json={"prenom": "Grace"}, headers=clerk)
    assert code(unread) == (428, "precondition_required")
    assert read(kintambo, clerk, birth).json()["prenom"] == "Gloire"


CANNOT_BE = [
    ({"birth_date": "2026-02-03"}, "birth_date"),
    ({"declared_on": "2026-01-09"}, "birth_date"),
    ({"declared_on": "2026-02-03"}, "declared_on"),
    ({"mother_birth_date": "2026-01-20"}, "mother_birth_date"),
    ({"birth_date": "2026-01", "birth_precision": "day"}, "birth_precision"),
    ({"office": "CD-KN-008-01"}, "office"),
    ({"commune": "CD-KN-099"}, "commune"),
    ({"commune": None}, "commune"),
    ({"declared_on": None}, "declared_on"),
]


@pytest.mark.parametrize(("values", "field"), CANNOT_BE, ids=[str(values) for values, _ in CANNOT_BE])
def test_what_cannot_be_is_refused_as_at_the_declaration(
    kintambo: TestNode, declare: Declare, clerk: Headers, *, values: dict[str, Any], field: str
) -> None:
    birth = declare()
    before = row(kintambo, "birth", birth)
    answer = correct(kintambo, clerk, birth, **values)
    assert code(answer) == (422, "invalid_input")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert row(kintambo, "birth", birth) == before


def test_nobody_edits_a_registered_act_and_the_margin_note_to_ask_for_is_named(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    birth = declare(declarant_name="Jean Kabeya")
    act = register(kintambo, registrar, birth).json()["id"]
    before = row(kintambo, "birth", birth), row(kintambo, "act", act)
    for officer in (clerk, registrar):
        refused = correct(kintambo, officer, birth, nom="Mbuya", declarant_name="Paul Kabeya")
        assert code(refused) == (409, "already_registered")
        told = refused.json()
        assert told["act"] == act
        assert f"Pour nom, demandez une mention marginale (POST /v1/acts/{act}/annotations)" in told["detail"]
        assert "rectification (Rectification d'une erreur matérielle, art. 105" in told["detail"]
        assert told["detail"].endswith("Aucune mention marginale ne change : declarant_name.")
        assert "adoption" in told["detail"]
    # A change of sex is no affair of a recognition or an adoption.
    assert "adoption" not in correct(kintambo, clerk, birth, sex="M").json()["detail"]
    assert (row(kintambo, "birth", birth), row(kintambo, "act", act)) == before


def test_a_void_declaration_is_not_corrected(kintambo: TestNode, declare: Declare, clerk: Headers) -> None:
    birth = declare()
    void = {"kind": "birth", "id": birth, "act": "void"}
    with kintambo.database.write() as connection:
        stored = registers_of(connection, "birth", row(kintambo, "birth", birth))
        par = {name: current_dots(stored, "birth", register=name) for name in stored}
        kintambo.door.write(connection, [void | {"par": par}], by=NOBODY)
    assert code(correct(kintambo, clerk, birth, prenom="Gloire")) == (409, "declaration_void")


def test_the_clerk_of_another_commune_may_not_correct_nor_take_a_declaration_away(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    birth = declare()
    tag = read(kintambo, clerk, birth).headers["etag"]
    stranger = kintambo.officer("clerk", "CD-KN-008")
    assert code(correct(kintambo, stranger, birth, seen=tag, nom="Mbuya")) == (403, "other_commune")
    assert code(correct(kintambo, clerk, birth, commune="CD-KN-008")) == (403, "other_commune")
    unknown = correct(kintambo, clerk, NOBODY, seen=tag, nom="Mbuya")
    assert code(unknown) == (404, "birth_unknown")
    shown = read(kintambo, clerk, birth).json()
    assert (shown["nom"], shown["commune"]) == ("Mbuyi", "CD-KN-017")


def test_a_tablets_concurrent_edit_becomes_a_conflict_and_no_loss_until_the_clerk_settles_it(
    kintambo: TestNode, declare: Declare, clerk: Headers, registrar: Headers
) -> None:
    kintambo.join_a_province()
    birth = declare(mother_name="Marie Kapinga")
    assert correct(kintambo, clerk, birth, mother_name="Marie Mbuyi Kapinga").status_code == 200
    tablet = kintambo.tablet("CD-KN-017")
    edit = {"kind": "birth", "id": birth, "set": {"mother_name": "Marie Mbuji", "father_name": "Jean Kabeya"}}
    kintambo.push(tablet, edit)
    assert disputed(kintambo, birth) == ["mother_name"]
    assert code(register(kintambo, registrar, birth)) == (409, "declaration_contested")
    # What is corrected beside the contested field leaves the dispute as it is.
    assert correct(kintambo, clerk, birth, father_name="Jean Kabeya Ilunga").status_code == 200
    assert disputed(kintambo, birth) == ["mother_name"]
    shown = read(kintambo, clerk, birth).json()["mother_name"]
    assert correct(kintambo, clerk, birth, mother_name=shown).json()["mother_name"] == shown
    assert disputed(kintambo, birth) == []
    assert register(kintambo, registrar, birth).status_code == 201


def test_a_correction_shows_the_child_declared_twice_and_is_noted_in_the_journal(
    kintambo: TestNode, declare: Declare, clerk: Headers
) -> None:
    _, (mother,) = household(kintambo, {"prenom": "Marie", "sex": "F", "birth_date": "1998"})
    declare(mother_name="Marie Kapinga", father_name="Jean Kabeya")
    other = declare(
        nom="Ngoy", postnom="Tshala", prenom="Élie", birth_date="2025-12-24", sex="M", mother=mother
    )
    answer = correct(
        kintambo, clerk, other, nom="Mbuyi", postnom="Kalala", prenom="Grâce", sex="F",
        birth_date="2026-01-10", mother_name="Marie Kapinga", father_name="Jean Kabeya",
    )  # fmt: skip
    assert "possible_duplicate" in warned(answer)
    with kintambo.database.read() as connection:
        query = sa.select(read_journal.c.kind, read_journal.c.subject)
        noted = connection.execute(query.where(read_journal.c.route == "PATCH /v1/births/{id}")).all()
    assert {("birth", other), ("person", mother)} <= {tuple(each) for each in noted}
