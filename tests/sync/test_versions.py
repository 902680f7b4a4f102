"""Clients of v1 and of a v2 that adds a field and renames another share one area over one server and lose nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.database import Database
from sync.client import Tablet
from sync.protocol import read_line, write_line
from tests.conftest import TestClock
from tests.nodes import TestNode, household_of, make_node
from tests.sync.devices import enrol
from tests.sync.network import HOME, Network
from tests.sync.v2 import FORMER, NEW, RENAMED, conflict_v2, edit, edit_v2, person_v2, read_v2


class Area:
    """One area with a person in it, a tablet of v1 and one of v2."""

    def __init__(self, node: TestNode, folder: Path) -> None:
        network = Network({HOME: node.app})
        self.node = node
        self.v1 = enrol(node, network, folder / "v1")
        self.v2 = enrol(node, network, folder / "v2")
        operations = household_of(1)
        self.person = operations[1]["id"]
        self.v1.save(operations)
        self.exchange()

    def exchange(self) -> None:
        """Both send what they have, then both read."""
        for tablet in (self.v1, self.v2):
            tablet.push()
        for tablet in (self.v1, self.v2):
            tablet.pull()

    def row(self, tablet: Tablet) -> dict[str, Any]:
        found = tablet.store.row("person", self.person)
        assert found is not None
        return found


@pytest.fixture
def area(database: Database, tmp_path: Path, clock: TestClock) -> Area:
    return Area(make_node(database, tmp_path, clock=clock), tmp_path)


def test_v2_describes_what_v1_does_not_know() -> None:
    described = person_v2().fields
    assert {NEW, RENAMED, FORMER} <= set(described)
    assert described[RENAMED].type == described[FORMER].type


def test_fields_only_v2_knows_survive_what_v1_edits_and_reads(area: Area) -> None:
    area.v2.save([edit_v2(area.row(area.v2), email="m@exemple.cd", telephone="+243810000001")])
    area.exchange()
    assert area.row(area.v1)["set"][FORMER] == "+243810000001"
    area.v1.save([edit(area.row(area.v1), occupation="couturière", nom="Mbuyi wa Mbuyi")])
    area.exchange()
    shown = read_v2(area.row(area.v2))
    assert (shown[NEW], shown[RENAMED], shown["occupation"], shown["nom"]) == (
        "m@exemple.cd",
        "+243810000001",
        "couturière",
        "Mbuyi wa Mbuyi",
    )
    assert area.row(area.v1) == area.row(area.v2)
    assert "conflict" not in area.row(area.v2)
    assert "doubtful" not in area.row(area.v2)


def test_the_renamed_field_is_followed_both_ways_whoever_edits_it_last(area: Area) -> None:
    area.v1.save([edit(area.row(area.v1), phone="1")])
    area.exchange()
    assert read_v2(area.row(area.v2))[RENAMED] == "1"
    area.v2.save([edit_v2(area.row(area.v2), telephone="2")])
    area.exchange()
    assert area.row(area.v1)["set"][FORMER] == "2"
    area.v1.save([edit(area.row(area.v1), phone="3")])
    area.exchange()
    assert read_v2(area.row(area.v2))[RENAMED] == "3"
    area.v2.save([edit_v2(area.row(area.v2), telephone="4")])
    area.exchange()
    for tablet in (area.v1, area.v2):
        row = area.row(tablet)
        assert (row["set"][FORMER], row["set"][RENAMED], row.get("conflict")) == ("4", "4", None)
    area.v1.save([edit(area.row(area.v1), phone=None)])
    area.exchange()
    assert read_v2(area.row(area.v2))[RENAMED] is None


def test_both_see_a_conflict_on_the_renamed_field_and_either_closes_it(area: Area) -> None:
    for closing in (area.v1, area.v2):
        before = area.row(area.v1)
        area.v1.save([edit(before, phone="old name")])
        area.v2.save([edit_v2(before, telephone="new name")])
        area.exchange()
        for tablet in (area.v1, area.v2):
            values = [each["value"] for each in area.row(tablet)["conflict"][FORMER]]
            assert sorted(values) == ["new name", "old name"]
            assert conflict_v2(area.row(tablet)) == ["new name", "old name"]
        row = area.row(closing)
        closing.save([edit(row, phone="agreed") if closing is area.v1 else edit_v2(row, telephone="agreed")])
        area.exchange()
        for tablet in (area.v1, area.v2):
            assert "conflict" not in area.row(tablet)
            assert (area.row(tablet)["set"][FORMER], read_v2(area.row(tablet))[RENAMED]) == (
                "agreed",
                "agreed",
            )


def test_two_clients_of_v2_that_did_not_see_each_other_are_in_conflict_for_v1_too(area: Area) -> None:
    before = area.row(area.v2)
    area.v2.save([edit_v2(before, telephone="a"), edit_v2(before, telephone="b", email="b@exemple.cd")])
    area.exchange()
    assert sorted(each["value"] for each in area.row(area.v1)["conflict"][FORMER]) == ["a", "b"]
    assert conflict_v2(area.row(area.v2)) == ["a", "b"]
    assert area.row(area.v1)["set"][NEW] == "b@exemple.cd"


def test_keys_and_kinds_of_a_later_version_stay_in_the_bytes_and_hold_nothing_up(area: Area) -> None:
    line = {**edit_v2(area.row(area.v2), email="x@exemple.cd"), "why": {"later": [1, 2]}}
    assert read_line(write_line(line), 9, dev=area.v2.dev, ep=1).set == {NEW: "x@exemple.cd"}
    area.v2.save([line])
    area.exchange()
    assert area.row(area.v1)["set"][NEW] == "x@exemple.cd"
    with area.node.database.read() as connection:
        held = connection.exec_driver_sql("SELECT count(*) FROM quarantine").scalar_one()
    assert held == 0
