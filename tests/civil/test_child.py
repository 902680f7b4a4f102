"""What becomes of the child whose birth is registered: a person of the mother's household, the person already counted,
or a task in the clerk's tray."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from app.ledger.tables import batch
from tests.civil.conftest import Headers, household, row, rows
from tests.nodes import TestNode

Declare = Callable[..., str]


def register(node: TestNode, headers: Headers, birth: str) -> dict[str, Any]:
    entry = {"office": "CD-KN-017-01", "volume": "1"}
    answer = node.client.post(f"/v1/births/{birth}/registration", json=entry, headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def batches(node: TestNode) -> int:
    with node.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(batch)).scalar_one())


def test_the_child_joins_the_household_where_her_mother_lives(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    home, (father, mother) = household(
        kintambo,
        {"prenom": "Jean", "sex": "M", "relation": "head"},
        {"prenom": "Marie", "sex": "F", "relation": "spouse", "status": "present"},
    )
    birth = declare(mother=mother, father=father, birth_place="Maternité de Kintambo")
    before = batches(kintambo)
    found = register(kintambo, registrar, birth)
    assert batches(kintambo) == before + 1
    assert (found["household"], found["task"]) == (home, None)
    child = row(kintambo, "person", found["person"])
    expected = {
        "household": home,
        "relation": "child",
        "nom": "Mbuyi",
        "prenom": "Grâce",
        "sex": "F",
        "birth_date": "2026-01-10",
        "birth_precision": "day",
        "birth_place": "Maternité de Kintambo",
        "mother": mother,
        "father": father,
        "status": "present",
        "nationality": None,
        "birth_act": "seen",
        "birth_act_ref": "CD-KN-017-01 vol. 1/2026 n° 1",
    }
    assert {name: child[name] for name in expected} == expected
    assert {writes[0][2] for writes in json.loads(child["registers"]).values()} == {"act"}
    assert child["area"] == row(kintambo, "household", home)["area"]
    (link,) = rows(kintambo, "link")
    assert (link["birth"], link["person"]) == (birth, found["person"])
    assert (link["act"], link["household"]) == (found["id"], home)
    assert kintambo.door.areas.code(link["area"]) == "civil:CD-KN-017"
    assert row(kintambo, "act", found["id"])["person"] == found["person"]
    assert rows(kintambo, "task") == []


def test_the_tie_to_the_head_is_said_only_where_it_is_clear(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    clear = {"head": "child", "spouse": "child", "child": "grandchild", "sibling": "nephew_niece"}
    for mother in (*clear, "unrelated", None):
        _, (marie,) = household(kintambo, {"sex": "F"} | ({"relation": mother} if mother else {}))
        found = register(kintambo, registrar, declare(mother=marie))
        assert row(kintambo, "person", found["person"])["relation"] == clear.get(mother or ""), mother


def test_without_a_resident_mother_the_clerk_gets_a_task(
    kintambo: TestNode, declare: Declare, registrar: Headers, clerk: Headers
) -> None:
    _, (moved, dead) = household(kintambo, {"status": "moved"}, {"status": "dead"})
    births = [declare(), declare(mother=moved), declare(mother=dead), declare(mother=str(uuid.uuid4()))]
    acts = [register(kintambo, registrar, birth) for birth in births]
    assert [(act["person"], act["household"]) for act in acts] == [(None, None)] * 4
    assert len(rows(kintambo, "person")) == 2
    tray = kintambo.client.get("/v1/tasks", headers=clerk).json()["items"]
    assert {(t["what"], t["birth"], t["act"], t["commune"], t["stage"]) for t in tray} == {
        ("child_without_household", birth, act["id"], "CD-KN-017", "open")
        for birth, act in zip(births, acts, strict=True)
    }
    assert [act["task"] for act in acts] == [t["id"] for t in reversed(tray)]


def test_a_child_the_census_counted_stays_one_person_and_takes_the_facts_of_the_act(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    home, (mother, child) = household(
        kintambo,
        {"relation": "head"},
        {
            "nom": "Mbui",
            "prenom": "Grace",
            "birth_date": "2026",
            "birth_precision": "year",
            "phone": "+243810",
        },
    )
    found = register(kintambo, registrar, declare(mother=mother, person=child))
    assert (found["person"], found["household"], found["task"]) == (child, home, None)
    assert len(rows(kintambo, "person")) == 2
    person = row(kintambo, "person", child)
    expected = {
        "nom": "Mbuyi",
        "postnom": "Kalala",
        "prenom": "Grâce",
        "birth_date": "2026-01-10",
        "birth_act": "seen",
        "birth_act_ref": "CD-KN-017-01 vol. 1/2026 n° 1",
        "phone": "+243810",
        "mother": mother,
    }
    assert {name: person[name] for name in expected} == expected
    names = json.loads(person["registers"])["nom"]
    assert [write[2] for write in names] == ["declared", "act"]
    assert names[1][6] == [names[0][0]]
    with kintambo.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM conflict").scalar_one() == 0


def test_a_child_announced_under_an_id_still_on_its_way_keeps_that_id(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    home, (mother,) = household(kintambo, {"relation": "head"})
    child = str(uuid.uuid4())
    found = register(kintambo, registrar, declare(mother=mother, person=child))
    assert (found["person"], row(kintambo, "person", child)["household"]) == (child, home)
