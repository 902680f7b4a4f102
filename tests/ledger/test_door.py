"""What an agent hands in is folded once, receipted, and stays findable."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.database import Database
from app.errors import Problem
from app.ledger.tables import conflict, waiting
from app.population.tables import household, person
from app.statistics.tables import census_cell, population_cell
from tests.nodes import TestNode, household_of, make_node, neighbour, new, stranger


@pytest.fixture
def node(database: Database, tmp_path: Path) -> TestNode:
    return make_node(database, tmp_path)


def total(node: TestNode, column: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> int:
    with node.database.read() as connection:
        return int(
            connection.execute(sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(*where)).scalar_one()
        )


def test_a_household_is_counted_once_however_often_its_batch_comes(node: TestNode) -> None:
    tablet = node.tablet("1017010")
    data, signature = tablet.seal(household_of(4))
    first = node.door.accept(data, signature)
    assert node.door.accept(data, signature) == first
    assert node.push_sealed(data, signature)["dispositions"] == {}
    assert total(node, population_cell.c.persons) == 4
    assert total(node, census_cell.c["count"], census_cell.c.what == "households") == 1


def test_two_agents_who_do_not_know_of_each_other_leave_a_conflict_not_a_loss(node: TestNode) -> None:
    one, two = node.tablet("1017010"), node.tablet("1017010")
    operations = household_of(1)
    child = operations[1]["id"]
    node.push(one, *operations)
    seen = one.dot(2)
    edit = {"kind": "person", "id": child, "set": {"nom": "Mbuya", "prenom": "Jean0"}, "par": {"nom": [seen]}}
    other = {
        "kind": "person",
        "id": child,
        "set": {"nom": "Mboyi", "prenom": "Jean0"},
        "par": {"nom": [seen]},
    }
    assert node.push(one, edit)["dispositions"] == {}
    assert node.push(two, other)["dispositions"] == {"1": {"status": "conflict", "fields": ["nom"]}}
    with node.database.read() as connection:
        assert connection.execute(sa.select(conflict.c.register)).scalars().all() == ["nom"]
        assert connection.execute(sa.select(person.c.nom)).scalar_one() in {"Mbuya", "Mboyi"}
    row = next(r for r in node.changes(one) if r["kind"] == "person")
    assert {v["value"]["nom"] for v in row["conflict"]["nom"]} == {"Mbuya", "Mboyi"}


def test_an_edit_that_comes_weeks_before_its_person_waits_and_then_counts(node: TestNode) -> None:
    one, two = node.tablet("1017010"), node.tablet("1017010")
    operations = household_of(1)
    member = operations[1]["id"]
    made = one.seal(operations)
    edit = {"kind": "person", "id": member, "set": {"phone": "+243810000000"}, "par": {}}
    assert node.push(two, edit)["dispositions"]["1"]["status"] == "deferred"
    with node.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(waiting)).scalar_one() == 1
    assert node.push_sealed(*made)["dispositions"] == {}
    with node.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(waiting)).scalar_one() == 0
        row = connection.execute(sa.select(person)).mappings().one()
        assert (row["phone"], row["nom"]) == ("+243810000000", "Mbuyi")
        assert node.door.areas.code(row["area"]) == "1017010"
    assert total(node, population_cell.c.persons) == 1


def test_a_household_that_moves_takes_its_members_with_it(node: TestNode) -> None:
    tablet = node.tablet("CD-KN-017")
    operations = household_of(3)
    node.push(tablet, *operations)
    home = operations[0]["id"]
    address = {"commune": "CD-KN-017", "quartier": "1017021", "avenue": "Kimpwanza", "number": "3"}
    node.push(tablet, {"kind": "household", "id": home, "set": address, "par": {"commune": [1]}})
    rows = node.changes(tablet)
    assert {r["area"] for r in rows if r["kind"] == "person" and "set" in r} == {"1017021"}
    assert sorted(r["kind"] for r in rows if "leave" in r) == ["household", "person", "person", "person"]
    assert total(node, population_cell.c.persons, population_cell.c.quartier == "1017021") == 3
    assert total(node, population_cell.c.persons, population_cell.c.quartier == "1017010") == 0


def test_a_cloned_tablet_loses_neither_of_its_two_entries(node: TestNode) -> None:
    tablet = node.tablet("1017010")
    operations = household_of(1)
    node.push(tablet, *operations)
    copy = tablet.clone()
    member = operations[1]["id"]
    first = {"kind": "person", "id": member, "set": {"occupation": "couturière"}}
    second = {"kind": "person", "id": member, "set": {"occupation": "vendeuse"}}
    assert node.push(tablet, first)["dispositions"] == {}
    assert node.push(copy, second)["dispositions"] == {"4": {"status": "fork"}}
    row = next(r for r in node.changes(tablet) if r["kind"] == "person")
    assert {v["value"] for v in row["conflict"]["occupation"]} == {"couturière", "vendeuse"}


def test_one_poison_line_does_not_hold_up_its_neighbours(node: TestNode) -> None:
    tablet = node.tablet("1017010")
    poison = b'{"kind":"person","id":"x","set":{}}'
    receipt = node.push(tablet, *household_of(2), poison, *household_of(1))
    assert receipt["dispositions"] == {"5": {"status": "quarantined", "reason": "id"}}
    assert total(node, population_cell.c.persons) == 3


def test_a_value_outside_its_list_is_kept_and_counted_as_unknown(node: TestNode) -> None:
    tablet = node.tablet("CD-KN-017")
    home = str(uuid.uuid4())
    address = {"commune": "CD-KN-017", "quartier": "9999999"}
    node.push(
        tablet,
        new("household", address, identity=home),
        new("person", {"household": home, "sex": "X", "nom": 12}),
    )
    row = next(r for r in node.changes(tablet) if r["kind"] == "person")
    assert sorted(row["doubtful"]) == ["nom", "sex"]
    assert (row["set"]["sex"], row["set"]["nom"], row["area"]) == ("X", 12, "commune:CD-KN-017")
    assert total(node, population_cell.c.persons, population_cell.c.sex == "") == 1
    with node.database.read() as connection:
        assert connection.execute(sa.select(household.c.quartier)).scalar_one() is None


def test_an_open_conflict_moves_to_the_tray_of_the_new_quartier(node: TestNode) -> None:
    tablet = node.tablet("CD-KN-017")
    operations = household_of(1)
    node.push(tablet, *operations)
    home, member = operations[0]["id"], operations[1]["id"]
    other = node.tablet("1017010")
    for device, phone in ((tablet, "+243810000001"), (other, "+243810000002")):
        node.push(device, {"kind": "person", "id": member, "set": {"phone": phone}})
    address = {"commune": "CD-KN-017", "quartier": "1017021", "avenue": "Kimpwanza", "number": "3"}
    node.push(tablet, {"kind": "household", "id": home, "set": address, "par": {"commune": [1]}})
    with node.database.read() as connection:
        assert [
            node.door.areas.code(each) for each in connection.execute(sa.select(conflict.c.area)).scalars()
        ] == ["1017021"]


def test_another_communes_server_cannot_give_a_known_tablet_a_key_of_its_own(node: TestNode) -> None:
    tablet = node.tablet("1017010")
    node.push(tablet, *household_of(1))
    server = neighbour(node, "CD-KN-001")
    forged = stranger(node, "CD-KN-001", dev=tablet.dev)
    said = {"grant": forged.grant, "key": forged.key.public.jwk()}
    told = server.seal([{"kind": "device", "id": tablet.dev, "set": said, "ev": "act"}])
    node.door.accept(*told, grant=server.grant)
    with pytest.raises(Problem) as refused:
        node.door.accept(*forged.seal(household_of(1)), grant=forged.grant)
    assert refused.value.type.code == "bad_signature"
    assert node.push(tablet, *household_of(1))["dispositions"] == {}
