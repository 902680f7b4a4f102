"""What a tablet still keeps, when it may delete, when it warns, and how copies of one tablet part ways."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from app.database import Database
from sync.answers import Refused, Unreachable
from sync.client import Tablet
from sync.sqlite_store import SqliteStore
from tests.conftest import Engines, TestClock
from tests.nodes import TestNode, household_of, make_node
from tests.sync.devices import again, enrol, households
from tests.sync.network import HOME, Network, lost_before, refusal

# settled, deleted, alarmed -----------------------------------------------------------------------------


def test_bytes_are_deleted_thirty_days_later_by_the_provinces_dates_alone(
    network: Network, tablet: Tablet, clock: TestClock
) -> None:
    def keeps() -> list[bool]:
        return [each.kept for each in tablet.store.batches()]

    tablet.save(household_of(1))
    tablet.push()
    assert tablet.status()["settled"] == 3
    far = again(tablet, network, clock=lambda: 9e9)
    far.fetch_receipts()
    clock.forward(timedelta(days=29))
    far.save(household_of(1))
    far.push()
    assert keeps() == [True, True]
    clock.forward(timedelta(days=1, minutes=1))
    tablet.save(household_of(1))
    tablet.push()
    assert keeps() == [False, True, True]
    assert tablet.status()["settled"] == 9


def test_work_the_province_does_not_confirm_alarms_after_five_contacts_or_two_weeks(
    engines: Engines, tmp_path: Path, clock: TestClock
) -> None:
    shutil.copy(engines.template("sqlite"), tmp_path / "node.db")
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    home = make_node(database, tmp_path, clock=clock)
    network = Network({HOME: home.app})
    tablet = enrol(home, network, tmp_path / "tablet")
    tablet.save(household_of(1))
    tablet.seal()

    def alarms(each: Tablet) -> list[str]:
        return [alarm["code"] for alarm in each.status()["alarms"]]

    network.faults["/batches"] = [refusal(403, "other_commune")] * 9
    for _ in range(4):
        with pytest.raises(Refused):
            again(tablet, network).push()
    assert alarms(tablet) == []
    with pytest.raises(Refused):
        again(tablet, network).push()
    assert alarms(tablet) == ["unsettled"]
    network.faults.clear()
    again(tablet, network).push()
    assert alarms(tablet) == []
    tablet.save(household_of(1))
    tablet.seal()
    assert alarms(again(tablet, network, clock=lambda: 1_800_000_000.0 + 15 * 86400)) == ["unsettled"]
    database.close()


# clones and copies -------------------------------------------------------------------------------------


def test_two_copies_of_one_tablet_lose_nothing_and_part_ways(
    home: TestNode, network: Network, tablet: Tablet, tmp_path: Path
) -> None:
    tablet.save(household_of(1))
    tablet.push()
    shutil.copytree(tmp_path / "tablet", tmp_path / "clone")
    clone = again(tablet, network, store=SqliteStore(tmp_path / "clone"))
    tablet.save(household_of(1))
    tablet.push()
    clone.save(household_of(1))
    clone.push()
    assert [each["code"] for each in clone.status()["alarms"]] == ["fork"]
    clone.save(household_of(1))
    clone.push()
    assert households(home) == 4
    ours, theirs = tablet.store.epochs(), clone.store.epochs()
    assert next(iter(theirs)) == next(iter(ours))
    assert list(theirs.values()) == [6, 3]


def test_a_tablet_brought_back_from_an_older_copy_writes_on_in_a_new_epoch(
    home: TestNode, network: Network, tablet: Tablet, tmp_path: Path
) -> None:
    tablet.save(household_of(1))
    network.faults["/batches"] = [lost_before] * 4
    with pytest.raises(Unreachable):
        tablet.push()
    shutil.copytree(tmp_path / "tablet", tmp_path / "copy")
    tablet.push()
    tablet.save(household_of(1))
    tablet.push()
    restored = again(tablet, network, store=SqliteStore(tmp_path / "copy"))
    restored.push()
    assert len(restored.store.epochs()) == 2
    restored.save(household_of(1))
    restored.push()
    assert households(home) == 3


def test_a_node_that_knows_numbers_never_given_here_starts_a_new_epoch_once(tablet: Tablet) -> None:
    tablet.save(household_of(1))
    ep = next(iter(tablet.store.epochs()))
    tablet.notice_older_copy({ep: {"through": 3, "holes": []}})
    assert list(tablet.store.epochs()) == [ep]
    tablet.notice_older_copy({ep: {"through": 4, "holes": []}})
    tablet.notice_older_copy({ep: {"through": 5, "holes": []}})
    assert list(tablet.store.epochs().values()) == [3, 0]
