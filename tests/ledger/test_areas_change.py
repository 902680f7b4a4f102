"""A device is given other areas: it drops what is withdrawn, reads what is new from 0 and nothing else again, and
keeps its own work. With the product's tablet on both its stores, and with one written from the protocol page."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import httpx
import pytest

from app.database import Database
from app.errors import Problem
from app.ledger.revoking import change_areas
from sync.client import Tablet
from sync.sqlite_store import SqliteStore
from sync.store import MemoryStore, Store
from tests.conftest import TestClock, migrate
from tests.journeys import client as independent
from tests.nodes import TestNode, household_of, make_node
from tests.sync.devices import again, invitation, thumbprint
from tests.sync.network import HOME, Network, Waits

HERE, THERE, FAR = "1017010", "1017021", "1017070"
BY = str(uuid.uuid4())


def give(node: TestNode, dev: str, *areas: str) -> str:
    with node.database.write() as connection:
        return change_areas(
            connection, node.door, dev, areas=areas, by=BY, at=node.node.clock.now(), grant_days=365
        )


@pytest.fixture
def network(node: TestNode) -> Network:
    return Network({HOME: node.app})


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "tablet")


@pytest.fixture
def tablet(node: TestNode, network: Network, store: Store) -> Tablet:
    """A tablet of two quartiers."""
    return Tablet.enrol(
        store,
        url=HOME,
        code=invitation(node, HERE, THERE),
        province=thumbprint(node),
        name="Tablette 1",
        http=network.client(),
        patience=Waits().patience(),
        clock=lambda: 1_800_000_000.0,
    )


def census(node: TestNode) -> None:
    other = node.tablet("CD-KN-017")
    for quartier, size in ((HERE, 1), (THERE, 2), (FAR, 3)):
        node.push(other, *household_of(size, quartier=quartier))


def test_only_what_is_withdrawn_is_dropped_and_only_what_is_new_is_read(
    node: TestNode, network: Network, tablet: Tablet
) -> None:
    census(node)
    assert tablet.pull().rows == 7
    give(node, tablet.dev, THERE, FAR)
    later = again(tablet, network)
    pulled = later.pull()
    assert (pulled.rows, pulled.removed) == (5, 3)
    assert later.store.count_rows() == {"household": 2, "person": 5, "visit": 2}
    positions = later.store.positions()
    assert HERE not in positions
    assert {THERE, FAR} <= positions.keys()
    assert later.store.facts()["areas"] == [THERE, FAR]
    assert again(later, network).pull().rows == 0
    give(node, tablet.dev, HERE, THERE)
    back = again(later, network)
    assert back.pull().rows == 3
    assert back.store.count_rows() == {"household": 2, "person": 3, "visit": 2}


def test_own_work_the_province_has_not_stays_where_the_area_is_withdrawn(
    node: TestNode, network: Network, tablet: Tablet
) -> None:
    census(node)
    tablet.pull()
    (home,) = [
        line
        for line in node.changes(node.tablet(HERE))
        if line["kind"] == "household" and line["area"] == HERE
    ]
    tablet.save([{"kind": "household", "id": home["id"], "set": {"card": "12"}, "par": {"card": []}}])
    give(node, tablet.dev, THERE)
    later = again(tablet, network)
    later.pull()
    assert later.store.row("household", home["id"]) is not None
    assert later.store.count_rows() == {"household": 2, "person": 2, "visit": 1}
    assert [operation["set"] for _, operation in later.own_work_on_top()] == [{"card": "12"}]
    later.push()
    (shown,) = [line for line in node.changes(node.tablet(HERE)) if line.get("id") == home["id"]]
    assert shown["set"]["card"] == "12"


def test_a_tablet_written_from_the_protocol_page_changes_areas_too(node: TestNode) -> None:
    census(node)

    asked = independent.Invitation(HOME, invitation(node, HERE, THERE), thumbprint(node))
    tablet = independent.Tablet(asked, connect=lambda _url: cast(httpx.Client, node.client))
    tablet.enrol()
    tablet.login()
    tablet.pull()
    assert {row["area"] for row in tablet.rows.rows.values()} == {HERE, THERE}
    give(node, tablet.dev, THERE, FAR)
    tablet.login()
    assert tablet.areas == [THERE, FAR]
    tablet.pull()
    tablet.pull()
    assert {row["area"] for row in tablet.rows.rows.values()} == {THERE, FAR}
    assert HERE not in tablet.rows.after


def test_the_session_opened_before_reads_the_new_areas_at_once(
    node: TestNode, network: Network, tablet: Tablet
) -> None:
    """What was withdrawn is not sent to whoever still holds a token."""
    census(node)
    tablet.pull()
    give(node, tablet.dev, FAR)
    assert (tablet.pull().removed, tablet.store.count_rows()["household"]) == (7, 1)


@pytest.fixture
def commune(
    fresh_database_url: Callable[[], str | None], tmp_path: Path, clock: TestClock
) -> Iterator[TestNode]:
    url = fresh_database_url() or f"sqlite:///{tmp_path / 'commune.db'}"
    migrate(url)
    with closing(Database(url)) as database:
        made = make_node(database, tmp_path, kind="commune", clock=clock)
        made.join_a_province()
        yield made


def test_areas_a_server_may_not_give_are_refused(commune: TestNode) -> None:
    tablet = commune.tablet(HERE)
    for areas, code in (((), "area_unknown"), (("x",), "area_unknown"), (("CD-KN-001",), "area_elsewhere")):
        with pytest.raises(Problem) as refused:
            give(commune, tablet.dev, *areas)
        assert refused.value.type.code == code
    with pytest.raises(Problem) as refused:
        give(commune, str(uuid.uuid4()), HERE)
    assert refused.value.type.code == "device_not_found"
