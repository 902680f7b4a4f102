"""Tablet, commune and province together, on both engines: what is pushed, relayed, receipted and settled."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.database import Database
from app.ledger.relay import exchange, join, relay_all
from app.ledger.revoking import revoke
from sync.answers import Refused, Untrusted
from sync.sqlite_store import SqliteStore
from tests.conftest import Engines, TestClock, migrate
from tests.nodes import TestNode, household_of, make_node
from tests.sync.devices import again, enrol, households, invitation, thumbprint
from tests.sync.network import HOME, PROVINCE, Network, lost_after

COMMUNE = "CD-KN-017"
MIB = 1 << 20


@pytest.fixture
def province(
    database: Database,
    fresh_database_url: Callable[[], str | None],
    engines: Engines,
    tmp_path: Path,
    clock: TestClock,
) -> Iterator[TestNode]:
    """The province, in a database of its own beside the commune's."""
    url = fresh_database_url()
    if url is None:
        shutil.copy(engines.template("sqlite"), tmp_path / "province.db")
        url = f"sqlite:///{tmp_path / 'province.db'}"
    else:
        migrate(url)
    own = Database(url)
    yield make_node(own, tmp_path, kind="province", commune=None, clock=clock)
    own.close()


@pytest.fixture
def commune(
    database: Database, province: TestNode, network: Network, tmp_path: Path, clock: TestClock
) -> TestNode:
    """A commune that joined the province over the network."""
    made = make_node(database, tmp_path, kind="commune", commune=COMMUNE, clock=clock)
    network.applications[HOME] = made.app
    with network.client() as client:
        join(
            made.door,
            url=PROVINCE,
            code=invitation(province, COMMUNE, role="admin"),
            province=thumbprint(province),
            client=client,
        )
    return made


@pytest.fixture
def network(province: TestNode) -> Network:
    """The line between all of them."""
    return Network({PROVINCE: province.app})


def relay(commune: TestNode, network: Network) -> None:
    with network.client() as client:
        relay_all(commune.door, client, most_bytes=MIB)


def test_a_household_entered_on_a_tablet_is_settled_once_the_province_has_it(
    province: TestNode, commune: TestNode, network: Network, tmp_path: Path
) -> None:
    tablet = enrol(commune, network, tmp_path / "tablet")
    tablet.save(household_of(4))
    network.faults["/batches"] = [lost_after]
    tablet.push()
    assert (tablet.status()["received"], tablet.fetch_receipts(), tablet.status()["settled"]) == (6, 0, 0)
    relay(commune, network)
    assert tablet.fetch_receipts() == 1
    assert (tablet.status()["settled"], tablet.fetch_receipts()) == (6, 0)
    assert (households(commune), households(province)) == (1, 1)


def test_a_receipt_of_the_commune_alone_never_settles(
    province: TestNode, commune: TestNode, network: Network, tmp_path: Path, clock: TestClock
) -> None:
    tablet = enrol(commune, network, tmp_path / "tablet")
    tablet.save(household_of(1))
    tablet.push()
    for _ in range(6):
        later = again(tablet, network)
        later.fetch_receipts()
    assert tablet.status()["settled"] == 0
    assert [each["code"] for each in tablet.status()["alarms"]] == ["unsettled"]
    assert all(each.kept for each in tablet.store.batches())


def test_work_taken_to_the_province_itself_and_relayed_as_well_is_counted_once(
    province: TestNode, commune: TestNode, network: Network, tmp_path: Path
) -> None:
    tablet = enrol(commune, network, tmp_path / "tablet")
    tablet.save(household_of(2))
    pushed = tablet.push(to=PROVINCE)
    assert (pushed.operations, pushed.left, tablet.status()["settled"]) == (4, 0, 4)
    assert households(commune) == 0
    assert tablet.push().operations == 4
    relay(commune, network)
    tablet.fetch_receipts()
    assert (households(commune), households(province)) == (1, 1)
    assert len(set(network.sent("/batches"))) == 1


def test_two_tablets_of_one_quartier_read_each_others_households(
    province: TestNode, commune: TestNode, network: Network, tmp_path: Path
) -> None:
    first, second = (enrol(commune, network, tmp_path / name) for name in ("first", "second"))
    first.save(household_of(3))
    second.save(household_of(2))
    first.push()
    second.push()
    first.pull()
    second.pull()
    counted = {"household": 2, "person": 5, "visit": 2}
    assert first.store.count_rows() == second.store.count_rows() == counted
    assert first.own_work_on_top() == second.own_work_on_top() == []


def test_a_clone_is_noticed_by_its_receipts_before_a_number_is_given_twice(
    province: TestNode, commune: TestNode, network: Network, tmp_path: Path
) -> None:
    tablet = enrol(commune, network, tmp_path / "tablet")
    tablet.save(household_of(1))
    tablet.push()
    shutil.copytree(tmp_path / "tablet", tmp_path / "clone")
    clone = again(tablet, network, store=SqliteStore(tmp_path / "clone"))
    clone.save(household_of(1))
    clone.push()
    tablet.fetch_receipts()
    tablet.save(household_of(1))
    tablet.push()
    assert list(tablet.store.epochs().values()) == [3, 3]
    assert [each["code"] for each in tablet.status()["alarms"]] == ["fork"]
    assert households(commune) == 3
    with commune.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM fork").scalar_one() == 0


def rebuilt(
    province: TestNode, network: Network, database: Database, folder: Path, *, areas: str = COMMUNE
) -> TestNode:
    """A new server of a commune at the address of the old one, joined like any other."""
    made = make_node(database, folder, kind="commune", commune=areas, clock=province.node.clock)
    network.applications[HOME] = made.app
    with network.client() as client:
        code = invitation(province, areas, role="admin")
        join(made.door, url=PROVINCE, code=code, province=thumbprint(province), client=client)
    return made


@pytest.fixture
def empty(
    fresh_database_url: Callable[[], str | None], engines: Engines, tmp_path: Path
) -> Iterator[Database]:
    """A database for another server."""
    url = fresh_database_url()
    if url is None:
        shutil.copy(engines.template("sqlite"), tmp_path / "rebuilt.db")
        url = f"sqlite:///{tmp_path / 'rebuilt.db'}"
    else:
        migrate(url)
    made = Database(url)
    yield made
    made.close()


def test_a_tablet_goes_on_with_the_rebuilt_server_of_its_commune(
    province: TestNode, commune: TestNode, network: Network, empty: Database, tmp_path: Path
) -> None:
    tablet = enrol(commune, network, tmp_path / "tablet")
    tablet.save(household_of(3))
    tablet.push()
    relay(commune, network)
    tablet.pull()
    tablet.save(household_of(1))
    tablet.push()
    made = rebuilt(province, network, empty, tmp_path)
    tablet = again(tablet, network)
    tablet.save(household_of(2))
    assert tablet.push().batches == 3
    tablet.pull()
    assert households(made) == 3
    assert tablet.store.count_rows() == {"household": 3, "person": 6, "visit": 3}
    assert (tablet.own_work_on_top(), tablet.status()["alarms"]) == ([], [])
    with network.client() as client:
        exchange(made.door, client, most_bytes=MIB)
    tablet.fetch_receipts()
    assert tablet.status()["settled"] == 12
    assert households(province) == households(made)


def test_a_tablet_sends_nothing_to_another_communes_server_at_its_address(
    province: TestNode, commune: TestNode, network: Network, empty: Database, tmp_path: Path
) -> None:
    tablet = enrol(commune, network, tmp_path / "tablet")
    tablet.save(household_of(3))
    rebuilt(province, network, empty, tmp_path, areas="CD-KN-001")
    tablet = again(tablet, network)
    with pytest.raises(Untrusted) as refused:
        tablet.push()
    assert refused.value.code == "other_home"
    assert network.sent("/batches") == []


def test_a_tablet_revoked_by_its_commune_keeps_its_outbox_and_is_set_aside_everywhere(
    province: TestNode, commune: TestNode, network: Network, tmp_path: Path
) -> None:
    tablet = enrol(commune, network, tmp_path / "tablet")
    tablet.save(household_of(1))
    tablet.push()
    tablet.pull()
    tablet.save(household_of(2))
    with commune.database.write() as connection:
        (good,) = tablet.store.batches()
        revoke(connection, commune.door, tablet.dev, after=good.sha256, reason="volée", by=tablet.agent)
    stopped = again(tablet, network)
    with pytest.raises(Refused):
        stopped.pull()
    assert (stopped.store.count_rows(), stopped.status()["entered"]) == ({}, 7)
    assert stopped.push().left == 0
    with network.client() as client:
        relay_all(commune.door, client, most_bytes=MIB)
    assert (households(commune), households(province)) == (1, 1)
    for node in (commune, province):
        with node.database.read() as connection:
            count = "SELECT count(*) FROM quarantine WHERE reason = 'revoked'"
            assert connection.exec_driver_sql(count).scalar_one() == 4
