"""A node whose tables say what its devices signed is clean; whoever changes a byte, a row or a figure is named."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from backports import zstd

from app.audit import Report, verify
from app.civil.tables import act
from app.database import Database
from app.ledger.tables import batch, conflict, device, fork, origin, quarantine
from app.population.tables import household, person
from app.statistics.tables import birth_year, nationality_cell, population_cell
from sync.protocol import write_line
from sync.seal import sign_detached
from tests.nodes import Tablet, TestNode, household_of, make_node, new

Operation = dict[str, Any]


@pytest.fixture
def node(database: Database, tmp_path: Path) -> TestNode:
    return make_node(database, tmp_path)


def audited(node: TestNode) -> Report:
    return verify(node.database, key=node.door.identity.key.public)


def assert_clean(node: TestNode) -> Report:
    report = audited(node)
    assert report.first_difference is None
    assert report.ok
    assert report.differences == {}
    return report


def assert_named(node: TestNode, *texts: str, kind: str) -> Report:
    report = audited(node)
    assert not report.ok
    assert report.first_difference is not None
    for text in texts:
        assert text in report.first_difference
    assert report.differences[kind] >= 1
    return report


def alter(node: TestNode, statement: sa.Update | sa.Delete) -> None:
    with node.database.write() as connection:
        assert connection.execute(statement).rowcount == 1


def insert(node: TestNode, table: sa.Table, row: dict[str, Any]) -> None:
    with node.database.write() as connection:
        connection.execute(table.insert().values(row))


def write(node: TestNode, *operations: Operation) -> None:
    with node.database.write() as connection:
        node.door.write(connection, operations, by="clerk")


def edit(kind: str, identity: str, values: dict[str, Any], **rest: Any) -> Operation:
    return {"kind": kind, "id": identity, "set": values, **rest}


def an_act(number: int = 12, **values: Any) -> Operation:
    facts = {
        "commune": "CD-KN-017",
        "office": "CD-KN-017-01",
        "year": 2011,
        "volume": "IV",
        "number": number,
        "registered_on": "2011-05-03",
        "birth_date": "2011-02",
        "delay": "in_delay",
        "sex": "F",
        "mode": "direct",
        "nom": "Mbuyi",
        "facts": {"witnesses": ["Ilunga"]},
    }
    return new("act", facts | values)


def census(node: TestNode, families: int = 3) -> tuple[Tablet, list[Operation]]:
    """A tablet and the operations of some families it brought in."""
    tablet = node.tablet("1017010")
    operations = [each for _ in range(families) for each in household_of(3)]
    node.push(tablet, *operations)
    return tablet, operations


def the_person(operations: Sequence[Operation], place: int = 0) -> str:
    return str([each["id"] for each in operations if each["kind"] == "person"][place])


# -- clean -----------------------------------------------------------------------------------------------------


def test_an_empty_node_is_clean(node: TestNode) -> None:
    assert assert_clean(node).operations == 0


def test_a_census_and_its_births_are_clean(node: TestNode) -> None:
    census(node)
    write(node, an_act(), an_act(13, facts=None))
    report = assert_clean(node)
    assert report.operations == 1 + 15 + 2
    assert report.entities == report.operations
    assert orjson.loads(orjson.dumps(report.as_json()))["ok"] is True


def test_progress_ends_at_the_number_of_operations(node: TestNode) -> None:
    census(node)
    steps: list[tuple[int, int]] = []
    verify(node.database, told=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (16, 16)
    assert steps == sorted(steps)


def test_edits_that_saw_each_other_and_edits_that_did_not_are_clean(node: TestNode) -> None:
    one, operations = census(node)
    two = node.tablet("1017021")
    child = the_person(operations)
    seen = {"nom": [one.dot(2)], "birth_date": [one.dot(2)]}
    node.push(one, edit("person", child, {"nom": "Mbuya", "birth_date": "1990-05"}, par=seen))
    node.push(two, edit("person", child, {"nom": "Mboyi", "birth_date": "1990-05-03"}, par=seen))
    node.push(
        two, edit("person", child, {"phone": None, "status": "dead", "hobby": "échecs", "line": "trois"})
    )
    node.push(one, edit("person", child, {"status": "present"}, par={"status": [two.dot(2)]}))
    write(
        node, edit("person", child, {"nom": "Mbuyi"}, par={"nom": [one.dot(16), two.dot(1)]}, ev="document")
    )
    write(node, edit("person", the_person(operations, 4), {"sex": "F", "nationality": "FR"}, act="resolve"))
    assert_clean(node)
    with node.database.read() as connection:
        assert set(connection.execute(sa.select(conflict.c.register)).scalars()) == {"sex", "status"}


def test_what_came_before_its_parents_is_clean(node: TestNode) -> None:
    one, two = node.tablet("1017010"), node.tablet("1017040")
    operations = household_of(2)
    early = edit("person", operations[1]["id"], {"phone": "+243810000000"}, par={"phone": [one.dot(4)]})
    node.push(two, early)
    assert_clean(node)
    node.push(one, *operations[1:])
    assert_clean(node)
    node.push(one, operations[0])
    assert_clean(node)


def test_households_that_move_take_their_people_along_cleanly(node: TestNode) -> None:
    one, operations = census(node)
    home = operations[0]["id"]
    address = {"commune": "CD-KN-017", "quartier": "1017030"}
    node.push(one, edit("household", home, address, par={"commune": [one.dot(1)]}))
    assert_clean(node)
    node.push(one, edit("person", the_person(operations), {"household": str(uuid.uuid4())}))
    node.push(one, edit("household", home, {"commune": "CD-KN-008"}, par={"commune": [one.dot(16)]}))
    assert_clean(node)


def test_a_cloned_tablet_is_clean_whichever_line_came_first(node: TestNode) -> None:
    one, operations = census(node)
    copy = one.clone()
    child = the_person(operations)
    node.push(one, edit("person", child, {"sex": "F"}), new("person", {"nom": "Ilunga"}))
    node.push(
        copy, edit("person", child, {"sex": "M"}), edit("person", the_person(operations, 1), {"sex": "F"})
    )
    node.push(copy, edit("person", child, {"sex": "M"}, par={"sex": [17 - 1]}))
    assert_clean(node)
    with node.database.read() as connection:
        assert len(connection.execute(sa.select(fork.c.dot)).all()) == 2


def test_the_same_lines_cut_into_other_batches_are_clean(node: TestNode) -> None:
    tablet = node.tablet("1017010")
    operations = household_of(4)
    node.push(tablet, *operations)
    node.push(tablet, *operations[2:], new("person", {"nom": "Nsimba"}), start=3)
    assert assert_clean(node).entities == 1 + len(operations) + 1


def test_lines_that_may_not_be_folded_are_kept_aside_cleanly(node: TestNode) -> None:
    tablet, operations = census(node)
    child = the_person(operations)
    node.push(
        tablet,
        b"not json",
        an_act(),
        {"kind": "person", "id": child, "act": "merge", "into": the_person(operations, 1)},
        {"kind": "person", "id": child, "act": "explode"},
        {"kind": "horoscope", "id": str(uuid.uuid4()), "new": True, "set": {"sign": "lion"}},
        write_line(edit("person", child, {"phone": "0999"})),
    )
    cut = tablet.seal([new("person", {"nom": "Kanza"})])[0][:-1]
    node.push_sealed(cut, sign_detached(tablet.key, cut, kid=tablet.dev, typ="batch"))
    assert_clean(node)
    with node.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(quarantine)).scalar_one() == 6


def test_unknown_kinds_unknown_fields_and_doubtful_values_are_clean(node: TestNode) -> None:
    write(node, new("horoscope", {"sign": "lion"}), edit("horoscope", str(uuid.uuid4()), {"sign": "bélier"}))
    write(
        node,
        new("household", {"quartier": "nowhere", "lat": 4.5, "accuracy": 7, "colour": {"b": 1, "a": [2]}}),
    )
    write(node, new("person", {"birth_date": "1990-02-30", "sex": "X", "line": 3.0}))
    write(node, new("visit", {"members": [str(uuid.uuid4())], "commune": "CD-KN-008", "outcome": "refused"}))
    assert_clean(node)


def test_two_acts_that_claim_one_number_are_clean(node: TestNode) -> None:
    write(node, an_act(), an_act(13))
    write(node, an_act(nom="Ilunga"), an_act(14))
    assert_clean(node)
    with node.database.read() as connection:
        assert connection.execute(sa.select(conflict.c.register)).scalars().all() == ["number_key"] * 2


def test_an_act_signed_twice_stays_as_first_written_and_is_clean(node: TestNode) -> None:
    first = an_act()
    write(node, first)
    write(node, first | {"set": first["set"] | {"nom": "Ilunga", "sex": "M"}})
    assert_clean(node)


# -- what was changed is named ---------------------------------------------------------------------------------


def test_one_flipped_byte_in_a_batch_is_named(node: TestNode) -> None:
    tablet, _ = census(node)
    with node.database.read() as connection:
        row = connection.execute(sa.select(batch).where(batch.c.dev == tablet.dev)).one()
    data = bytearray(zstd.decompress(row.content))
    data[data.index(b"Mbuyi")] ^= 1
    change = batch.update().where(batch.c.id == row.id)
    alter(node, change.values(content=zstd.compress(bytes(data))))
    assert_named(node, f"lot {row.sha256} de l'appareil {tablet.dev}", "un octet a changé", kind="batch")
    stored = bytearray(row.content)
    stored[len(stored) // 2] ^= 1
    alter(node, change.values(content=bytes(stored)))
    assert_named(node, f"lot {row.sha256} de l'appareil {tablet.dev}", "un octet a changé", kind="batch")


def test_bytes_changed_together_with_their_hash_are_named(node: TestNode) -> None:
    tablet, _ = census(node)
    with node.database.read() as connection:
        row = connection.execute(sa.select(batch).where(batch.c.dev == tablet.dev)).one()
    data = zstd.decompress(row.content).replace(b"Jean1", b"Paul1")
    values = {"content": zstd.compress(data), "sha256": hashlib.sha256(data).hexdigest()}
    alter(node, batch.update().where(batch.c.id == row.id).values(values))
    assert_named(node, "la signature n'est pas celle de l'appareil", kind="batch")


def test_one_edited_row_is_named(node: TestNode) -> None:
    _, operations = census(node)
    child = the_person(operations, 3)
    alter(node, person.update().where(person.c.id == child).values(nom="Ilunga"))
    wanted = "nom vaut « Ilunga » dans la table, « Mbuyi » d'après les opérations"
    report = assert_named(node, f"person {child} : {wanted}", kind="row")
    assert report.differences == {"row": 1}


@pytest.mark.parametrize(
    "column, value, kind",
    [
        ("extra", '{"hobby":"échecs"}', "row"),
        ("doubtful", " sex ", "row"),
        ("name1", 7, "row"),
        ("nationality", "CD", "row"),
        ("birth_date", None, "row"),
        ("registers", "{}", "register"),
        ("n", 4, "register"),
        ("seq", 999, "area"),
        ("area", 1, "area"),
    ],
)
def test_every_column_of_a_row_is_looked_at(node: TestNode, column: str, value: object, kind: str) -> None:
    _, operations = census(node)
    child = the_person(operations)
    alter(node, person.update().where(person.c.id == child).values({column: value}))
    assert_named(node, f"person {child}", kind=kind)


def test_an_edited_row_of_many_writes_is_named(node: TestNode) -> None:
    tablet, operations = census(node)
    child = the_person(operations)
    node.push(tablet, edit("person", child, {"sex": "F"}, par={"sex": [2]}))
    change = person.update().where(person.c.id == child)
    alter(node, change.values(sex="M"))
    assert_named(node, f"person {child} : sex vaut « M » dans la table, « F » d'après", kind="row")
    with node.database.read() as connection:
        text = connection.execute(sa.select(person.c.registers).where(person.c.id == child)).scalar_one()
    writes = orjson.loads(text)
    del writes["sex"][0]
    alter(node, change.values(sex="F", registers=orjson.dumps(writes).decode()))
    assert_named(
        node, f"person {child} : registre sex : 1 écritures dans la table, 2 d'après", kind="register"
    )
    alter(node, change.values(registers=None))
    assert_named(node, f"person {child}", kind="register")


def test_one_cell_too_many_or_too_few_is_named(node: TestNode) -> None:
    census(node)
    for table, column, cell in (
        (population_cell, "persons", "population_cell (CD-KN-017, 1017010, M, 1990, 0)"),
        (nationality_cell, "persons", "nationality_cell (CD-KN-017, unknown)"),
    ):
        for step, held in ((1, 10), (-2, 8), (1, None)):
            alter(node, table.update().values({column: table.c[column] + step}))
            if held:
                report = assert_named(node, f"{cell} : {held} au lieu de 9", kind="rollup")
                assert report.differences == {"rollup": 1}
    assert_clean(node)


def test_a_cell_for_nothing_is_named(node: TestNode) -> None:
    values = {"basis": "birth", "commune": "CD-KN-008", "year": 2011, "delay": "in_delay", "births": 1}
    insert(node, birth_year, values)
    assert_named(node, "birth_year (birth, CD-KN-008, 2011, in_delay) : 1 au lieu de 0", kind="rollup")


def test_a_deleted_row_is_named(node: TestNode) -> None:
    tablet, operations = census(node)
    child = the_person(operations, 2)
    alter(node, person.delete().where(person.c.id == child))
    assert_named(node, f"person {child} : manque dans la table", tablet.dot(4), kind="row")


def test_a_row_nobody_signed_is_named(node: TestNode) -> None:
    _, operations = census(node)
    ghost = str(uuid.uuid4())
    with node.database.read() as connection:
        row = dict(connection.execute(sa.select(person).limit(1)).mappings().one())
    insert(node, person, row | {"id": ghost})
    assert_named(node, f"person {ghost} : aucune opération n'a écrit cette ligne", kind="row")
    alter(node, person.delete().where(person.c.id == the_person(operations)))
    report = audited(node)
    assert report.differences["row"] == 2


def test_a_changed_receipt_is_named(node: TestNode) -> None:
    tablet, _ = census(node)
    change = batch.update().where(batch.c.dev == tablet.dev)
    with node.database.read() as connection:
        row = connection.execute(sa.select(batch).where(batch.c.dev == tablet.dev)).one()
    alter(node, change.values(receipt=row.receipt.replace('"to":15', '"to":14')))
    assert_named(
        node, f"lot {row.sha256}", "le reçu de ce serveur ne porte pas la bonne signature", kind="receipt"
    )
    alter(node, change.values(receipt=None))
    assert_named(node, "le reçu de ce serveur manque", kind="receipt")
    alter(node, change.values(receipt=row.receipt, province_receipt=row.receipt, province_signature="x"))
    assert_named(node, "le reçu de la province", kind="receipt")


def test_the_receipt_of_another_batch_is_named(node: TestNode) -> None:
    tablet, _ = census(node)
    node.push(tablet, new("person", {"nom": "Kanza"}))
    with node.database.read() as connection:
        one, two = connection.execute(
            sa.select(batch).where(batch.c.dev == tablet.dev).order_by(batch.c.id)
        ).all()
    values = {"receipt": one.receipt, "receipt_signature": one.receipt_signature}
    alter(node, batch.update().where(batch.c.id == two.id).values(values))
    assert_named(node, f"lot {two.sha256}", "parle d'un autre lot", kind="receipt")


def drop_guard(node: TestNode) -> None:
    """Take the trigger away that keeps registered acts as they are."""
    with node.database.write() as connection:
        if node.database.is_sqlite:
            names = connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'act'"
            ).scalars()
            for name in list(names):
                connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        else:
            connection.exec_driver_sql("ALTER TABLE act DISABLE TRIGGER USER")


def test_an_act_altered_behind_its_guard_is_named(node: TestNode) -> None:
    written = an_act()
    write(node, written, an_act(13))
    drop_guard(node)
    alter(node, act.update().where(act.c.id == written["id"]).values(registered_on="2011-05-04"))
    text = "registered_on vaut « 2011-05-04 » dans la table, « 2011-05-03 » d'après les opérations"
    assert_named(node, f"act {written['id']} : {text}", kind="row")


def test_a_number_taken_from_its_act_is_named(node: TestNode) -> None:
    written = an_act()
    write(node, written)
    drop_guard(node)
    alter(node, act.update().where(act.c.id == written["id"]).values(number_key=None))
    assert_named(node, f"act {written['id']} : number_key vaut rien dans la table", kind="row")


def test_a_conflict_hidden_or_invented_is_named(node: TestNode) -> None:
    one, operations = census(node)
    child = the_person(operations)
    node.push(one, edit("person", child, {"sex": "F"}))
    alter(node, conflict.delete())
    assert_named(
        node, f"person {child}, sex : un conflit est ouvert et manque dans la liste", kind="conflict"
    )
    row = {"kind": "person", "id": child, "register": "sex", "area": 1, "weight": 0, "opened_at": "2026"}
    insert(node, conflict, row)
    assert_named(node, f"person {child}, sex : conflit de poids 0 au lieu de 1", kind="conflict")
    alter(node, conflict.update().values(weight=1))
    insert(node, conflict, row | {"register": "nom"})
    assert_named(node, f"person {child}, nom : la liste des conflits en montre un", kind="conflict")


def test_a_line_taken_out_of_quarantine_is_named(node: TestNode) -> None:
    tablet, _ = census(node)
    node.push(tablet, b"not json")
    alter(node, quarantine.update().values(reason="nul"))
    assert_named(node, f"opération {tablet.dot(16)}", "(not_json)", kind="quarantine")
    alter(node, quarantine.delete())
    assert_named(
        node, f"opération {tablet.dot(16)} : devrait être en quarantaine (not_json)", kind="quarantine"
    )


def test_a_fork_hidden_is_named(node: TestNode) -> None:
    one, operations = census(node)
    copy = one.clone()
    node.push(one, edit("person", the_person(operations), {"sex": "F"}))
    node.push(copy, edit("person", the_person(operations), {"sex": "M"}))
    alter(node, fork.delete())
    assert_named(node, f"double numéro {one.dot(16)} : manque dans la liste", kind="fork")


def test_a_batch_that_disappears_is_named(node: TestNode) -> None:
    tablet, _ = census(node)
    node.push(tablet, new("person", {"nom": "Kanza"}))
    alter(node, batch.delete().where(batch.c.dev == tablet.dev, batch.c.from_n == 16))
    text = f"appareil {tablet.dev}, époque 7 : annonce les opérations [[1,16]], ses lots portent [[1,15]]"
    assert_named(node, text, kind="range")
    alter(node, origin.update().where(origin.c.dev == tablet.dev).values(ranges="[[1,15]]"))
    assert_named(node, "aucune opération n'a écrit cette ligne", kind="row")


def test_a_device_with_another_key_is_named(node: TestNode) -> None:
    tablet, _ = census(node)
    other = node.tablet("1017010")
    change = device.update().where(device.c.id == tablet.dev)
    with node.database.read() as connection:
        row = connection.execute(sa.select(device).where(device.c.id == other.dev)).one()
    alter(node, change.values(key=row.key))
    assert_named(node, f"appareil {tablet.dev} : clé ou rôle autres que dans l'autorisation", kind="trust")
    alter(node, change.values(grant=row.grant))
    assert_named(node, f"appareil {tablet.dev} : l'autorisation est celle de {other.dev}", kind="trust")


def test_a_node_of_another_key_is_named(node: TestNode) -> None:
    tablet, _ = census(node)
    report = verify(node.database, key=tablet.key.public)
    assert report.first_difference == "ce serveur : sa clé n'est pas celle de son certificat"


def test_a_household_put_elsewhere_is_named(node: TestNode) -> None:
    _, operations = census(node)
    home = operations[0]["id"]
    alter(node, household.update().where(household.c.id == home).values(area=1))
    assert_named(node, f"household {home} : zone", "1017010 d'après les opérations", kind="area")
