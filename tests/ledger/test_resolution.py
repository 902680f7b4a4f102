"""A person settles a contradiction: everything in presence is replaced, here, at the province and on the tablets; or
the agent is asked on his tablet. What stands in an act, or about a whole record, is not settled this way."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.access.paging import encode_cursor
from app.ledger.tables import conflict
from tests.ledger.pair import Two
from tests.ledger.state import conflicts, rows
from tests.nodes import Tablet, TestNode, household_of

QUARTIER, OTHER_QUARTIER = "1017010", "1017021"


@pytest.fixture(scope="module")
def clerk(lasting: TestNode) -> dict[str, str]:
    return lasting.officer("clerk")


@pytest.fixture(scope="module")
def tablet(lasting: TestNode, agent: str) -> Tablet:
    return lasting.tablet(QUARTIER, officer=agent)


def edit(person: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "person", "id": person, "set": values, **more}


def contested(node: TestNode, tablet: Tablet, **values: Any) -> str:
    """A person on whom a second value was written without the first being seen."""
    family = household_of(1, quartier=QUARTIER)
    node.push(tablet, *family, edit(family[1]["id"], values or {"sex": "F"}))
    person: str = family[1]["id"]
    return person


def case_of(node: TestNode, clerk: dict[str, str], person: str, register: str = "sex") -> Any:
    answer = node.client.get(f"/v1/conflicts/{encode_cursor('person', person, register)}", headers=clerk)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == answer.json()["etag"]
    return answer.json()


def decide(
    node: TestNode, clerk: dict[str, str], case: Any, body: dict[str, Any], *, etag: str | None = None
) -> httpx.Response:
    return node.client.post(
        f"/v1/conflicts/{case['conflict']}/resolution",
        json=body,
        headers=clerk | {"If-Match": etag or case["etag"]},
    )


def settled(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.json()["settled"] is True
    return answer.json()


def refused(answer: httpx.Response, status: int, code: str) -> Any:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return answer.json()


def of_person(rows: list[dict[str, Any]], person: str) -> dict[str, Any]:
    return next(each for each in rows if each["id"] == person)


def test_choosing_a_value_replaces_all_in_presence_and_reaches_the_tablet(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet
) -> None:
    person = contested(lasting, tablet)
    assert set(of_person(lasting.changes(tablet), person)["conflict"]) == {"sex"}
    case = case_of(lasting, clerk, person)
    assert [(each["value"], each["role"], each["dev_name"]) for each in case["values"]] == [
        ("M", "agent", "Tablette"), ("F", "agent", "Tablette"),
    ]  # fmt: skip
    other = next(each for each in case["values"] if not each["shown"])
    answer = settled(decide(lasting, clerk, case, {"choose": other["dot"]}))
    assert (answer["value"], answer["ev"]) == (other["value"], "declared")
    row = of_person(lasting.changes(tablet), person)
    assert (row["set"]["sex"], row.get("conflict")) == (other["value"], None)
    assert lasting.client.get(f"/v1/conflicts/{case['conflict']}", headers=clerk).status_code == 404
    again = decide(lasting, clerk, case, {"choose": other["dot"]})
    refused(again, 404, "conflict_not_found")
    written = lasting.client.get(f"/v1/persons/{person}/history", headers=clerk).json()["registers"]["sex"]
    (resolved,) = (each for each in written if each["live"])
    assert len(written) == 3
    assert set(resolved["par"]) == {each["dot"] for each in case["values"]}


def test_another_value_writes_the_whole_register_under_the_evidence_given(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet
) -> None:
    person = contested(lasting, tablet, nom="Mbuya", postnom="Kalala")
    case = case_of(lasting, clerk, person, "nom")
    body = {"value": {"nom": "MBUYI", "prenom": "Grâce"}, "evidence": "document"}
    answer = settled(decide(lasting, clerk, case, body))
    assert answer["value"] == {"nom": "MBUYI", "postnom": None, "prenom": "Grâce"}
    assert answer["ev"] == "document"
    row = of_person(lasting.changes(tablet), person)["set"]
    assert (row["nom"], row.get("postnom"), row["prenom"]) == ("MBUYI", None, "Grâce")


def test_a_new_date_says_its_precision_by_its_length(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet
) -> None:
    person = contested(lasting, tablet, birth_date="1978-05", birth_precision="month")
    case = case_of(lasting, clerk, person, "birth_date")
    answer = settled(decide(lasting, clerk, case, {"value": {"birth_date": "1987-05-03"}}))
    assert answer["value"] == {"birth_date": "1987-05-03", "birth_precision": "day", "birth_words": None}


@pytest.mark.parametrize(
    ("register", "body", "field"),
    [
        ("sex", {"value": "X"}, "sex"),
        ("sex", {"value": {"sex": "F"}}, "sex"),
        ("sex", {"choose": "7b0c5a52-8d0e-4c63-9a3b-0a2f5d1c9e44:1:1"}, "choose"),
        ("nom", {"value": "MBUYI"}, "value"),
        ("nom", {"value": {"nom": "MBUYI", "sex": "F"}}, "value"),
        ("nom", {"value": {"nom": "\u202eMBUYI"}}, "nom"),
        ("nom", {"value": {"nom": "x" * 201}}, "nom"),
        ("birth_date", {"value": {"birth_date": "2999"}}, "birth_date"),
        ("birth_date", {"value": {"birth_date": "2011-02-30"}}, "birth_date"),
        ("birth_date", {"value": {"birth_date": "2011", "birth_precision": "day"}}, "birth_precision"),
        ("household", {"value": str(uuid.uuid4())}, "household"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_field_by_field_and_nothing_is_written(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet, register: str, body: dict[str, Any], field: str
) -> None:
    values: dict[str, Any] = {
        "sex": {"sex": "F"}, "nom": {"nom": "Mbuya"}, "birth_date": {"birth_date": "1978"},
        "household": {"household": str(uuid.uuid4())},
    }[register]  # fmt: skip
    person = contested(lasting, tablet, **values)
    case = case_of(lasting, clerk, person, register)
    told = refused(decide(lasting, clerk, case, body), 422, "invalid_input")
    assert [each["field"] for each in told["errors"]] == [field]
    assert case_of(lasting, clerk, person, register)["etag"] == case["etag"]


@pytest.mark.parametrize(
    "body", [{}, {"choose": None}, {"choose": "a", "ask": "b"}, {"value": "F", "ask": "b"}]
)
def test_there_is_one_answer_and_only_one(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet, body: dict[str, Any]
) -> None:
    case = case_of(lasting, clerk, contested(lasting, tablet))
    refused(decide(lasting, clerk, case, body), 422, "invalid_input")


def test_what_was_not_seen_is_not_settled(lasting: TestNode, clerk: dict[str, str], tablet: Tablet) -> None:
    person = contested(lasting, tablet)
    case = case_of(lasting, clerk, person)
    address = f"/v1/conflicts/{case['conflict']}/resolution"
    refused(lasting.client.post(address, json={"value": "F"}, headers=clerk), 428, "precondition_required")
    lasting.push(tablet, edit(person, {"sex": "M"}))
    refused(decide(lasting, clerk, case, {"value": "F"}), 412, "precondition_failed")
    settled(decide(lasting, clerk, case_of(lasting, clerk, person), {"value": "F"}))


def test_a_choice_an_agent_made_is_closed_by_confirming_it(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet
) -> None:
    person = contested(lasting, tablet)
    dots = [each["dot"] for each in case_of(lasting, clerk, person)["values"]]
    lasting.push(tablet, edit(person, {"sex": "F"}, par={"sex": dots}))
    case = case_of(lasting, clerk, person)
    assert [each["value"] for each in case["values"]] == ["F"]
    assert [each["live"] for each in case["history"]] == [False, False, True]
    settled(decide(lasting, clerk, case, {"choose": case["values"][0]["dot"]}))


def test_the_facts_of_an_act_are_not_overruled_but_may_be_confirmed(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet
) -> None:
    person = contested(lasting, tablet)
    case = case_of(lasting, clerk, person)
    dots = [each["dot"] for each in case["values"]]
    fact = edit(person, {"sex": "M"}, par={"sex": dots}, ev="act")
    with lasting.database.write() as connection:
        lasting.door.write(connection, [fact], by=str(uuid.uuid4()))
    lasting.push(tablet, edit(person, {"sex": "F"}))
    case = case_of(lasting, clerk, person)
    by_evidence = {each["ev"]: each["dot"] for each in case["values"]}
    refused(decide(lasting, clerk, case, {"value": "F"}), 409, "fact_of_act")
    refused(decide(lasting, clerk, case, {"choose": by_evidence["declared"]}), 409, "fact_of_act")
    answer = settled(decide(lasting, clerk, case, {"choose": by_evidence["act"]}))
    assert (answer["value"], answer["ev"]) == ("M", "act")


@pytest.mark.parametrize(("name", "call"), [("void", "/restore"), ("merged_into", "/unmerge")])
def test_what_contests_a_whole_record_names_the_call_that_settles_it(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet, name: str, call: str
) -> None:
    person = contested(lasting, tablet)
    with lasting.database.write() as connection:
        row = connection.execute(sa.select(conflict).where(conflict.c.id == person)).mappings().one()
        connection.execute(conflict.insert().values({**row, "register": name}))
    case = case_of(lasting, clerk, person, name)
    told = refused(decide(lasting, clerk, case, {"value": True}), 409, "settled_otherwise")
    assert f"/v1/persons/{person}{call}" in told["detail"]


# -- asking the agent ----------------------------------------------------------------------------------------------


def questions(rows: list[dict[str, Any]], person: str) -> list[dict[str, Any]]:
    return [each["set"] for each in rows if each["kind"] == "question" and each["set"]["entity"] == person]


def test_a_question_reaches_the_tablet_and_is_answered_by_what_it_writes_next(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet
) -> None:
    person = contested(lasting, tablet)
    case = case_of(lasting, clerk, person)
    answer = decide(lasting, clerk, case, {"ask": "Avez-vous vu la carte d'électeur ?"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["settled"] is False
    assert [each["stage"] for each in answer.json()["questions"]] == ["open"]
    (asked,) = questions(lasting.changes(tablet), person)
    assert (asked["kind"], asked["register"], asked["device"]) == ("person", "sex", tablet.dev)
    assert (asked["text"], asked["agent"]) == ("Avez-vous vu la carte d'électeur ?", tablet.agent)

    lasting.push(tablet, edit(person, {"sex": "M"}))
    unseen = case_of(lasting, clerk, person)
    assert [each["stage"] for each in unseen["questions"]] == ["open"]
    lasting.push(tablet, edit(person, {"sex": "F"}, par={"sex": [each["dot"] for each in case["values"]]}))
    (told,) = case_of(lasting, clerk, person)["questions"]
    assert told["stage"] == "answered"
    assert told["asked_by_name"] is not None


def test_a_question_is_put_where_the_tablet_reads_even_when_the_family_has_left(
    lasting: TestNode, clerk: dict[str, str], tablet: Tablet
) -> None:
    person = contested(lasting, tablet)
    home = of_person(lasting.changes(tablet), person)["set"]["household"]
    address = {"commune": "CD-KN-017", "quartier": OTHER_QUARTIER, "avenue": "x", "number": "1"}
    lasting.push(tablet, {"kind": "household", "id": home, "set": address})
    assert person not in {each.get("id") for each in lasting.changes(tablet)}
    case = case_of(lasting, clerk, person)
    assert decide(lasting, clerk, case, {"ask": "Laquelle ?"}).status_code == 200
    assert len(questions(lasting.changes(tablet), person)) == 1


def test_settling_closes_the_questions(lasting: TestNode, clerk: dict[str, str], tablet: Tablet) -> None:
    person = contested(lasting, tablet)
    case = case_of(lasting, clerk, person)
    assert decide(lasting, clerk, case, {"ask": "Laquelle ?"}).status_code == 200
    answer = settled(decide(lasting, clerk, case, {"value": "F"}))
    assert [each["stage"] for each in answer["questions"]] == ["answered"]
    assert [each["stage"] for each in questions(lasting.changes(tablet), person)] == ["answered"]


def test_where_no_agent_wrote_nobody_is_asked(lasting: TestNode, clerk: dict[str, str]) -> None:
    desk = lasting.tablet(QUARTIER, role="clerk")
    case = case_of(lasting, clerk, contested(lasting, desk))
    refused(decide(lasting, clerk, case, {"ask": "Laquelle ?"}), 409, "nobody_to_ask")
    refused(decide(lasting, clerk, case, {"ask": " "}), 422, "invalid_input")


# -- at the province -----------------------------------------------------------------------------------------------


def test_the_province_holds_what_the_commune_decided_and_asked(two: Two) -> None:
    clerk, tablet = two.commune.officer("clerk"), two.commune.tablet(QUARTIER)
    person = contested(two.commune, tablet)
    settled(decide(two.commune, clerk, case_of(two.commune, clerk, person), {"value": "F"}))
    case = case_of(two.commune, clerk, contested(two.commune, tablet))
    assert decide(two.commune, clerk, case, {"ask": "Laquelle ?"}).status_code == 200
    two.relay()
    kinds = ("household", "person", "visit", "question")
    assert rows(two.province, *kinds) == rows(two.commune, *kinds)
    assert conflicts(two.province) == conflicts(two.commune)
    assert [each["set"]["text"] for each in rows(two.province, "question").values()] == ["Laquelle ?"]
    assert rows(two.province)[f"person {person}"]["set"]["sex"] == "F"
