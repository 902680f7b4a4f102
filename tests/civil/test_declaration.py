"""Citizens declare births: what the law answers, what is refused, what is only pointed out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, get_args

from app.civil.schemas import BirthIn
from sync.catalogue import CATALOGUE
from tests.civil.conftest import Headers, household, row, rows
from tests.nodes import TestNode

GRACE = {
    "nom": "Mbuyi",
    "postnom": "Kalala",
    "prenom": "Grâce",
    "sex": "F",
    "birth_date": "2026-01-10",
    "birth_precision": "day",
}


def ask(node: TestNode, headers: Headers, **fields: Any) -> dict[str, Any]:
    """The answer to a declaration that is received."""
    answer = node.client.post("/v1/births", json={**GRACE, **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(node: TestNode, headers: Headers, **fields: Any) -> dict[str, str]:
    """Field → French message of a declaration that is refused with `invalid_input`."""
    body = {name: value for name, value in {**GRACE, **fields}.items() if value is not None}
    answer = node.client.post("/v1/births", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert rows(node, "birth") == []
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


def test_a_father_declares_his_daughter_on_the_23rd_day(kintambo: TestNode, clerk: Headers) -> None:
    found = ask(kintambo, clerk, declarant_relation="père")
    assert {name: found[name] for name in found if name not in {"id", "delay_rule", "delay_article"}} == {
        "delay": "in_delay",
        "delay_days": 23,
        "delay_limit": 90,
        "warnings": [],
    }
    assert "23 jours" in found["delay_rule"]
    assert "16/008" in found["delay_article"]
    stored = row(kintambo, "birth", found["id"])
    assert (stored["declared_on"], stored["commune"], stored["nom"]) == ("2026-02-02", "CD-KN-017", "Mbuyi")
    assert kintambo.door.areas.code(stored["area"]) == "civil:CD-KN-017"


def test_the_day_of_the_declaration_judges_the_delay(kintambo: TestNode, clerk: Headers) -> None:
    for born, precision, declared, delay, days in (
        ("2025-11-04", "day", "2026-02-02", "in_delay", 90),
        ("2025-11-03", "day", "2026-02-02", "out_of_delay", 91),
        ("2025-11-03", "day", "2026-02-01", "in_delay", 90),
        ("2025-11", "month", "2026-02-02", "undetermined", None),
        ("2025-10", "month", "2026-02-02", "out_of_delay", None),
        ("2026", "year", "2026-02-02", "in_delay", None),
        ("1987", "year", "2026-02-02", "out_of_delay", None),
        ("2010-01-01", "day", "2010-04-01", "in_delay", 90),
        ("1990-01-01", "day", "1990-02-01", "out_of_delay", 31),
        ("1980-01-01", "day", "1980-01-02", "undetermined", 1),
    ):
        found = ask(kintambo, clerk, birth_date=born, birth_precision=precision, declared_on=declared)
        assert (born, found["delay"], found["delay_days"]) == (born, delay, days)


def test_a_mother_without_papers_is_not_sent_away(kintambo: TestNode, clerk: Headers) -> None:
    answer = kintambo.client.post("/v1/births", json={"birth_words": "à la saison sèche"}, headers=clerk)
    assert answer.status_code == 201
    found = answer.json()
    assert (found["delay"], found["delay_days"], found["delay_limit"]) == ("undetermined", None, None)
    assert [w["code"] for w in found["warnings"]] == ["name_missing", "sex_missing", "birth_date_missing"]


def test_parents_the_server_does_not_know_are_pointed_out(kintambo: TestNode, clerk: Headers) -> None:
    _, (mother,) = household(kintambo, {"prenom": "Marie", "sex": "F", "relation": "head"})
    found = ask(kintambo, clerk, mother=mother, father=str(uuid.uuid4()), person=str(uuid.uuid4()))
    assert [(w["code"], w["field"]) for w in found["warnings"]] == [
        ("father_unknown", "father"),
        ("person_unknown", "person"),
    ]


def test_a_twin_without_a_rank_is_pointed_out(kintambo: TestNode, clerk: Headers) -> None:
    assert [w["code"] for w in ask(kintambo, clerk, multiple="twin")["warnings"]] == ["order_missing"]
    assert ask(kintambo, clerk, multiple="twin", order=2, nom="Kanku")["warnings"] == []


IMPOSSIBLE: list[tuple[dict[str, Any], str, str]] = [
    ({"birth_date": "2026-02-30"}, "birth_date", "Cette date n'existe pas"),
    ({"birth_date": "2025-02-29"}, "birth_date", "Cette date n'existe pas"),
    ({"birth_date": "1849-12-31"}, "birth_date", "antérieure à 1850"),
    ({"birth_date": "10/01/2026"}, "birth_date", "AAAA-MM-JJ"),
    ({"birth_date": "2026-02-03"}, "birth_date", "avenir"),
    ({"birth_date": "2027", "birth_precision": "year"}, "birth_date", "avenir"),
    ({"declared_on": "2026-02-03"}, "declared_on", "avenir"),
    ({"declared_on": "2026-01-09"}, "birth_date", "postérieure à la déclaration"),
    ({"declared_on": "2026-01"}, "declared_on", "date complète"),
    ({"birth_date": "2026-01", "birth_precision": "day"}, "birth_precision", "moins précise"),
    ({"mother_birth_date": "2026-01-11"}, "mother_birth_date", "né après l'enfant"),
    ({"birth_time": "25:00"}, "birth_time", "HH:MM"),
    ({"sex": "X"}, "sex", "'M' ou 'F'"),
    ({"order": 0}, "order", "Au moins 1"),
    ({"order": "1"}, "order", "entier"),
    ({"nom": ""}, "nom", "Au moins 1"),
    ({"nom": "   "}, "nom", "blancs"),
    ({"nom": "M" * 201}, "nom", "Au plus 200"),
    ({"prenom": "Gr\u0007ce"}, "prenom", "interdit"),
    ({"prenom": "Gr\u202ece"}, "prenom", "interdit"),
    ({"prenom": 12}, "prenom", "texte"),
    ({"mother": "marie"}, "mother", "UUID"),
    ({"mother_quartier": "0000000"}, "mother_quartier", "liste"),
    ({"mother_nationality": "ZZ"}, "mother_nationality", "liste"),
    ({"office": "CD-KN-017-99"}, "office", "n'existe pas"),
    ({"office": "CD-KN-008-01"}, "office", "autre commune"),
    ({"commune": "CD-KN-099"}, "commune", "commune"),
    ({"surname": "Mbuyi"}, "surname", "inconnu"),
]


def test_what_cannot_be_is_refused_in_french(kintambo: TestNode, clerk: Headers) -> None:
    for fields, field, message in IMPOSSIBLE:
        found = refused(kintambo, clerk, **fields)
        assert list(found) == [field], fields
        assert message in found[field], fields


def test_every_impossible_field_is_named_at_once(kintambo: TestNode, clerk: Headers) -> None:
    fields = {"mother_nationality": "ZZ", "birth_date": "2026-02-03", "declared_on": "2026-02-04"}
    assert set(refused(kintambo, clerk, **fields)) == {"mother_nationality", "birth_date", "declared_on"}


def test_a_birth_of_another_commune_is_sent_there(kintambo: TestNode, clerk: Headers) -> None:
    answer = kintambo.client.post("/v1/births", json={**GRACE, "commune": "CD-KN-008"}, headers=clerk)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_commune")


def test_after_midnight_in_kinshasa_it_is_tomorrow(kintambo: TestNode, clerk: Headers) -> None:
    """23:30 UTC of 2 February is half past midnight of the 3rd in Kinshasa."""
    clock: Any = kintambo.node.clock
    clock.moment = clock.moment.replace(hour=23, minute=30)
    headers = kintambo.officer("clerk")
    found = ask(kintambo, headers)
    assert (found["delay_days"], row(kintambo, "birth", found["id"])["declared_on"]) == (24, "2026-02-03")


def test_a_clerk_who_presses_twice_declares_once(kintambo: TestNode, clerk: Headers) -> None:
    headers = clerk | {"Idempotency-Key": "declaration-0001"}
    first = kintambo.client.post("/v1/births", json=GRACE, headers=headers)
    again = kintambo.client.post("/v1/births", json=GRACE, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert len(rows(kintambo, "birth")) == 1
    other = kintambo.client.post("/v1/births", json={**GRACE, "sex": "M"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


def test_an_agent_or_planner_declares_nothing(kintambo: TestNode) -> None:
    for role in ("agent", "planner", "supervisor", "admin"):
        answer = kintambo.client.post("/v1/births", json=GRACE, headers=kintambo.officer(role))
        assert (answer.status_code, answer.json()["code"]) == (403, "role_forbidden")


def test_the_form_has_the_fields_and_lists_of_the_protocol() -> None:
    fields = CATALOGUE["birth"].fields
    assert set(BirthIn.model_fields) == set(fields)
    for name, known in fields.items():
        if known.type == "enum":
            choice = next(c for c in get_args(BirthIn.model_fields[name].annotation) if get_args(c))
            assert set(get_args(choice)) == known.values, name


def test_the_longest_declaration_fits_a_line_of_the_protocol(
    kintambo: TestNode, declare: Callable[..., str], registrar: Headers
) -> None:
    """Every text at its longest, in letters of four bytes: declared and registered."""
    wide: dict[str, Any] = {}
    for name, known in BirthIn.model_fields.items():
        if CATALOGUE["birth"].fields[name].type == "text" and name != "office":
            most = next((m.max_length for m in _metadata(known) if hasattr(m, "max_length")), None)
            assert most is not None, name
            wide[name] = "𝕄" * most
    birth = declare(**wide, witnesses=["𝕄" * 200] * 10)
    entry = {"office": "CD-KN-017-01", "volume": "1"}
    answer = kintambo.client.post(f"/v1/births/{birth}/registration", json=entry, headers=registrar)
    assert answer.status_code == 201, answer.text
    act = row(kintambo, "act", answer.json()["id"])
    assert len(act["birth_words"]) == 1000
    # Both do not fit a line whole: the text alone is cut, and says so.
    assert "𝕄…" in json.loads(act["facts"])["text"]


def _metadata(known: Any) -> list[Any]:
    inner = get_args(known.annotation)[0]
    return [item for part in inner.__metadata__ for item in getattr(part, "metadata", [part])]
