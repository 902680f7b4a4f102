"""A clerk writes persons down and changes them behind what he has seen; whoever reads a person leaves a trace."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from app.access.journal import readings_of
from app.access.tables import read_journal
from app.database import Database
from app.population import schemas
from sync.catalogue import CATALOGUE
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node, new
from tests.population.conftest import (
    FAR_QUARTIER,
    HOME,
    NEXT_QUARTIER,
    QUARTIER,
    Clerk,
    refusal,
    wrong_fields,
)

REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"birth_date": "2026-02-30"}, ["birth_date"]),
    ({"birth_date": "1849"}, ["birth_date"]),
    ({"birth_date": "2026-02-03"}, ["birth_date"]),
    ({"birth_date": "2026-03"}, ["birth_date"]),
    ({"birth_date": "12/05/1987"}, ["birth_date"]),
    ({"birth_date": "1987", "birth_precision": "day"}, ["birth_precision"]),
    ({"nationality": "XX"}, ["nationality"]),
    ({"sex": "f"}, ["sex"]),
    ({"line": 0}, ["line"]),
    ({"line": "3"}, ["line"]),
    ({"line": True}, ["line"]),
    ({"mother": "Marie"}, ["mother"]),
    ({"phone": "1" * 201}, ["phone"]),
    ({"nom": ""}, ["nom"]),
    ({"prenom": "\u202eeniram"}, ["prenom"]),
    ({"evidence": "act"}, ["evidence"]),
    ({"sex": "X", "status": "lost", "surname": "x"}, ["sex", "status", "surname"]),
    ({"nom": None}, ["nom"]),
    ({}, ["nom"]),
]


def test_a_clerk_writes_a_person_down_and_reads_him_again(clerk: Clerk) -> None:
    home = clerk.household()
    given = {
        "household": home["id"], "line": 3, "relation": "child", "relation_words": "fils (tuteur)",
        "nom": "N'Sefu", "postnom": "wa Kalala", "prenom": "Grâce", "sex": "F", "birth_date": "2019-04-12",
        "birth_words": "le 12 avril", "nationality": "indeterminate", "birth_act": "none", "status": "present",
    }  # fmt: skip
    answer = clerk.post("persons", given)
    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/persons/{made['id']}")
    read = clerk.get(f"persons/{made['id']}")
    assert read.json() == made
    assert read.headers["etag"] == answer.headers["etag"]
    shown = {name: value for name, value in made.items() if value is not None}
    assert shown == given | {
        "id": made["id"], "etag": made["etag"], "commune": HOME, "quartier": QUARTIER, "birth_precision": "day",
    }  # fmt: skip
    schemas.PersonOut.model_validate(made)


def test_a_change_needs_the_etag_of_what_was_seen(clerk: Clerk) -> None:
    made = clerk.person(nom="Mbuyi")
    path = f"persons/{made['id']}"
    assert refusal(clerk.patch(path, {"phone": "1"})) == (428, "precondition_required")
    assert refusal(clerk.patch(path, {"phone": "1"}, "*")) == (428, "precondition_required")
    changed = clerk.patch(path, {"phone": "+243810000000"}, made["etag"])
    assert (changed.status_code, changed.json()["phone"]) == (200, "+243810000000")
    stale = clerk.patch(path, {"phone": "2"}, made["etag"])
    assert refusal(stale) == (412, "precondition_failed")
    assert stale.headers["etag"] == changed.headers["etag"] != made["etag"]
    assert refusal(clerk.patch(path, {"phone": "2"}, f"W/{changed.headers['etag']}"))[0] == 412
    several = f'"other", {changed.headers["etag"]}'
    assert clerk.patch(path, {"phone": "2"}, several).json()["phone"] == "2"


def test_of_two_clerks_who_change_what_both_saw_one_is_told(clerk: Clerk, node: TestNode) -> None:
    made = clerk.person(nom="Mbuyi")
    both = threading.Barrier(2)

    def change(phone: str) -> int:
        both.wait()
        return clerk.patch(f"persons/{made['id']}", {"phone": phone}, made["etag"]).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(change, ["1", "2"])) == [200, 412]
    assert "conflicts" not in clerk.get(f"persons/{made['id']}").json()


def test_a_tablets_edit_makes_the_clerks_etag_stale(clerk: Clerk, node: TestNode) -> None:
    made = clerk.person(nom="Mbuyi")
    node.push(node.tablet(QUARTIER), {"kind": "person", "id": made["id"], "set": {"phone": "1"}})
    answer = clerk.patch(f"persons/{made['id']}", {"phone": "2"}, made["etag"])
    assert refusal(answer) == (412, "precondition_failed")


def test_two_values_written_apart_stand_side_by_side_until_a_clerk_decides(
    clerk: Clerk, node: TestNode
) -> None:
    tablet = node.tablet(QUARTIER)
    home = clerk.household()
    identity = str(uuid.uuid4())
    node.push(tablet, new("person", {"household": home["id"], "nom": "Mbuyi", "sex": "M"}, identity=identity))
    path = f"persons/{identity}"
    clerk.patch(path, {"nom": "Mbuji"}, clerk.get(path).json()["etag"])
    # The tablet has not seen the clerk's change: it replaces its own value only.
    node.push(
        tablet,
        {"kind": "person", "id": identity, "set": {"nom": "Mbuya"}, "par": {"nom": [1]}},
    )
    contested = clerk.get(path).json()
    values = {each["value"]["nom"] for each in contested["conflicts"]["nom"]}
    assert values == {"Mbuji", "Mbuya"}
    assert contested["nom"] in values
    writers = {each["value"]["nom"]: each["by_name"] for each in contested["conflicts"]["nom"]}
    assert writers == {"Mbuji": "Clerk1", "Mbuya": "Agent2"}
    (case,) = [each for each in clerk.get("conflicts").json()["items"] if each["id"] == identity]
    assert {each["value"]["nom"]: each["by_name"] for each in case["values"]} == writers
    decided = clerk.patch(path, {"nom": "Mbuyi"}, contested["etag"]).json()
    assert (decided["nom"], "conflicts" in decided) == ("Mbuyi", False)
    writings = clerk.get(f"{path}/history").json()["registers"]["nom"]
    assert len(writings) == 4
    assert [each["value"]["nom"] for each in writings if each["live"]] == ["Mbuyi"]
    assert [each["value"]["nom"] for each in writings if each["shown"]] == ["Mbuyi"]


def test_reaffirming_what_is_shown_closes_a_conflict(clerk: Clerk, node: TestNode) -> None:
    made = clerk.person(nom="Mbuyi", sex="M")
    node.push(node.tablet(QUARTIER), {"kind": "person", "id": made["id"], "set": {"sex": "F"}})
    path = f"persons/{made['id']}"
    contested = clerk.get(path).json()
    assert {each["value"] for each in contested["conflicts"]["sex"]} == {"M", "F"}
    decided = clerk.patch(path, {"sex": contested["sex"]}, contested["etag"]).json()
    assert (decided["sex"], "conflicts" in decided) == (contested["sex"], False)


def test_one_name_element_changes_and_the_others_stay(clerk: Clerk) -> None:
    made = clerk.person(nom="Mbuyi", postnom="Kalala", prenom="Jean")
    changed = clerk.patch(f"persons/{made['id']}", {"postnom": None}, made["etag"]).json()
    assert (changed["nom"], changed["postnom"], changed["prenom"]) == ("Mbuyi", None, "Jean")
    assert "conflicts" not in changed
    assert [each["id"] for each in clerk.get("persons", q="kalala").json()["items"]] == []


def test_what_is_already_written_is_not_written_again(clerk: Clerk) -> None:
    made = clerk.person(nom="Mbuyi", prenom="Jean")
    same = clerk.patch(f"persons/{made['id']}", {"prenom": "Jean", "phone": None}, made["etag"])
    assert (same.status_code, same.json()) == (200, made)


def test_a_finer_date_is_not_cut_by_the_older_precision(clerk: Clerk) -> None:
    made = clerk.person(nom="Mbuyi", birth_date="1987", birth_words="vers 1987")
    assert made["birth_precision"] == "year"
    path = f"persons/{made['id']}"
    finer = clerk.patch(path, {"birth_date": "1987-05-03", "evidence": "document"}, made["etag"]).json()
    assert (finer["birth_date"], finer["birth_precision"], finer["birth_words"]) == (
        "1987-05-03", "day", "vers 1987",
    )  # fmt: skip
    writings = clerk.get(f"{path}/history").json()["registers"]["birth_date"]
    assert {each["ev"] for each in writings} == {"declared", "document"}
    guessed = clerk.patch(path, {"birth_precision": "estimated"}, finer["etag"]).json()
    again = clerk.patch(path, {"birth_date": "1988"}, guessed["etag"]).json()
    assert (again["birth_date"], again["birth_precision"]) == ("1988", "estimated")


def test_what_a_person_cannot_be_is_refused_by_field(clerk: Clerk) -> None:
    for body, fields in REFUSED:
        assert wrong_fields(clerk.post("persons", body)) == fields
    assert clerk.get("persons").json()["items"] == []
    made = clerk.person(nom="Mbuyi")
    for body, fields in REFUSED:
        if body.keys() - {"nom"}:
            assert wrong_fields(clerk.patch(f"persons/{made['id']}", body, made["etag"])) == fields
    assert clerk.get(f"persons/{made['id']}").json() == made


def test_a_person_born_today_in_kinshasa_is_written_down(clerk: Clerk) -> None:
    assert clerk.person(nom="Mbuyi", birth_date="2026-02-02")["birth_precision"] == "day"


def test_a_clerk_cannot_name_a_household_nobody_wrote_down(clerk: Clerk) -> None:
    unknown = {"household": str(uuid.uuid4())}
    assert refusal(clerk.post("persons", {"nom": "Mbuyi"} | unknown)) == (422, "household_unknown")
    made = clerk.person(nom="Mbuyi")
    answer = clerk.patch(f"persons/{made['id']}", unknown, made["etag"])
    assert refusal(answer) == (422, "household_unknown")
    mother = clerk.patch(f"persons/{made['id']}", {"mother": made["id"]}, made["etag"])
    assert wrong_fields(mother) == ["mother"]


def test_a_person_moves_with_the_household_he_joins(clerk: Clerk) -> None:
    made = clerk.person(nom="Mbuyi")
    there = clerk.household(quartier=NEXT_QUARTIER)
    moved = clerk.patch(f"persons/{made['id']}", {"household": there["id"]}, made["etag"]).json()
    assert (moved["household"], moved["quartier"]) == (there["id"], NEXT_QUARTIER)


def test_a_person_without_a_household_is_the_communes(clerk: Clerk) -> None:
    made = clerk.post("persons", {"nom": "Mbuyi"}).json()
    assert (made["commune"], made["quartier"], made["household"]) == (HOME, None, None)
    assert clerk.get(f"persons/{made['id']}").status_code == 200


def test_a_doubtful_value_from_a_tablet_is_shown_and_marked(clerk: Clerk, node: TestNode) -> None:
    home = clerk.household()
    odd = {"nom": "Mbuyi", "line": "trois", "birth_date": "1987-13-40", "totem": "léopard"}
    operation = new("person", {"household": home["id"]} | odd)
    node.push(node.tablet(QUARTIER), operation)
    found = clerk.get(f"persons/{operation['id']}").json()
    assert {name: found[name] for name in ("nom", "line", "birth_date")} == {
        "nom": "Mbuyi", "line": "trois", "birth_date": "1987-13-40",
    }  # fmt: skip
    assert sorted(found["doubtful"]) == ["birth_date", "line"]
    assert found["others"] == {"totem": "léopard"}
    right = clerk.patch(f"persons/{found['id']}", {"line": 3}, found["etag"]).json()
    assert (right["line"], right["doubtful"]) == (3, ["birth_date"])


def test_a_fact_of_a_registered_act_is_not_changed_by_a_form(clerk: Clerk, node: TestNode) -> None:
    home = clerk.household()
    identity = str(uuid.uuid4())
    values = {"household": home["id"], "nom": "Mbuyi", "prenom": "Jean"}
    fact = {"kind": "person", "id": identity, "new": True, "set": values, "ev": "act"}
    with node.database.write() as connection:
        node.door.write(connection, [fact], by=str(uuid.uuid4()))
    path = f"persons/{identity}"
    before = clerk.get(path).json()
    assert refusal(clerk.patch(path, {"nom": "Mbuji"}, before["etag"])) == (409, "fact_of_act")
    assert clerk.get(path).json() == before
    # What the act says may be sent along, and what it does not say is free.
    changed = clerk.patch(path, {"nom": "Mbuyi", "phone": "1"}, before["etag"]).json()
    assert (changed["nom"], changed["phone"]) == ("Mbuyi", "1")


def test_every_read_of_a_person_is_in_the_journal(clerk: Clerk, node: TestNode) -> None:
    made = clerk.person(nom="Mbuyi")
    path = f"persons/{made['id']}"
    clerk.get(path)
    clerk.get(f"{path}/history")
    clerk.get("persons", q="mbuyi")
    clerk.get("persons", q="nobody at all")
    clerk.get(f"households/{made['household']}")
    clerk.patch(path, {"phone": "1"}, made["etag"])
    stranger = Clerk(node, node.officer("clerk", "CD-KN-008"))
    assert refusal(stranger.get(path)) == (403, "other_commune")
    assert refusal(stranger.get(f"{path}/history")) == (403, "other_commune")
    with node.database.read() as connection:
        readings = readings_of(connection, [made["id"]])
    assert [reading.route for reading in readings] == [
        "GET /v1/persons/{id}",
        "GET /v1/persons/{id}/history",
        "GET /v1/persons",
        "GET /v1/households/{id}",
        "PATCH /v1/persons/{id}",
    ]
    assert {(reading.kind, reading.commune, reading.username) for reading in readings} == {
        ("person", HOME, "clerk1")
    }


def test_a_read_that_cannot_be_journalled_is_not_answered(clerk: Clerk, node: TestNode) -> None:
    made = clerk.person(nom="Mbuyi")
    with node.database.write() as connection:
        connection.execute(sa.text("ALTER TABLE read_journal RENAME TO read_journal_gone"))
    for path in (f"persons/{made['id']}", "persons"):
        answer = clerk.get(path)
        assert answer.status_code == 500
        assert "Mbuyi" not in answer.text


def test_the_same_form_sent_twice_is_one_person(clerk: Clerk) -> None:
    home, key = clerk.household(), {"Idempotency-Key": "formulaire-0002"}
    first, again = (clerk.post("persons", {"household": home["id"], "nom": "Mbuyi"}, **key) for _ in range(2))
    assert (again.status_code, again.text) == (201, first.text)
    assert len(clerk.get("persons").json()["items"]) == 1
    other = clerk.post("persons", {"household": home["id"], "nom": "Kalala"}, **key)
    assert refusal(other) == (422, "idempotency_conflict")


@pytest.mark.parametrize("role", ["supervisor", "registrar"])
def test_the_provinces_officers_read_every_commune_and_write_in_none(
    database: Database, tmp_path: Path, clock: TestClock, role: str
) -> None:
    node = make_node(database, tmp_path, kind="province", clock=clock)
    home = str(uuid.uuid4())
    person = new("person", {"household": home, "nom": "Mbuyi"})
    with node.database.write() as connection:
        made = [new("household", {"quartier": FAR_QUARTIER}, identity=home), person]
        node.door.write(connection, made, by=str(uuid.uuid4()))
    officer = Clerk(node, node.officer(role))
    path = f"persons/{person['id']}"
    read = officer.get(path)
    assert (read.status_code, read.json()["commune"]) == (200, "CD-KN-008")
    assert [each["id"] for each in officer.get("persons", q="mbuyi").json()["items"]] == [person["id"]]
    assert officer.get("persons", commune=HOME).json()["items"] == []
    assert refusal(officer.patch(path, {"phone": "1"}, read.headers["etag"])) == (403, "role_forbidden")
    assert refusal(officer.post("persons", {"household": home, "nom": "X"})) == (403, "role_forbidden")
    with node.database.read() as connection:
        lines = connection.execute(sa.select(read_journal.c.subject, read_journal.c.commune)).all()
    assert [tuple(line) for line in lines] == [(person["id"], "CD-KN-008")] * 2
    clerk = Clerk(node, node.officer("clerk", "CD-KN-008"))
    assert wrong_fields(clerk.post("persons", {"nom": "Sans ménage"})) == ["household"]
    assert refusal(clerk.get("persons/0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10")) == (404, "person_not_found")


@pytest.mark.parametrize(
    ("kind", "model"), [("household", schemas.HouseholdFields), ("person", schemas.PersonFields)]
)
def test_the_forms_hold_the_fields_and_lists_of_the_protocol(kind: str, model: Any) -> None:
    fields = CATALOGUE[kind].fields
    assert list(model.model_fields) == list(fields)
    for name, known in fields.items():
        if known.type == "enum":
            (listed,) = (each for each in get_args(model.model_fields[name].annotation) if get_args(each))
            assert frozenset(get_args(listed)) == known.values, name
