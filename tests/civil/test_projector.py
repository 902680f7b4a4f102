"""Where declarations and acts stand, and what happens when two acts claim one place in the books."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from app.civil.projector import civil_area, number_key
from app.ledger.tables import conflict
from tests.civil.conftest import row
from tests.nodes import TestNode, new

PLACE = {"office": "CD-KN-017-01", "year": 2011, "volume": "2", "number": 17}


def test_civil_records_stand_in_their_commune_or_that_of_the_writer() -> None:
    assert civil_area({"commune": "CD-KN-008"}, "CD-KN-017") == "civil:CD-KN-008"
    assert civil_area({}, "CD-KN-017") == "civil:CD-KN-017"
    assert civil_area({}, None) is None


def test_an_acts_place_is_known_only_when_every_part_of_it_is() -> None:
    assert number_key(PLACE) == "CD-KN-017-01|2011|2|17"
    for part in PLACE:
        assert number_key({name: value for name, value in PLACE.items() if name != part}) is None


def test_a_tablets_declaration_goes_to_the_civil_records_of_its_commune_only(kintambo: TestNode) -> None:
    birth = new("birth", {"nom": "Mbuyi", "birth_date": "2026-01-10"})
    with kintambo.database.write() as connection:
        kintambo.door.write(connection, [birth], by=str(uuid.uuid4()))
    stored = row(kintambo, "birth", birth["id"])
    assert kintambo.door.areas.code(stored["area"]) == "civil:CD-KN-017"


def test_of_two_acts_with_one_number_both_stay_and_both_are_listed(kintambo: TestNode) -> None:
    first, second = new("act", PLACE | {"nom": "Ilunga"}), new("act", PLACE | {"nom": "Mbuyi"})
    for act in (first, second):
        with kintambo.database.write() as connection:
            kintambo.door.write(connection, [act], by=str(uuid.uuid4()))
    assert row(kintambo, "act", first["id"])["number_key"] == "CD-KN-017-01|2011|2|17"
    later = row(kintambo, "act", second["id"])
    assert (later["number"], later["nom"], later["number_key"]) == (17, "Mbuyi", None)
    with kintambo.database.read() as connection:
        listed = connection.execute(sa.select(conflict.c.id).where(conflict.c.register == "number_key"))
        assert set(listed.scalars()) == {first["id"], second["id"]}
