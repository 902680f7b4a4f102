"""A revocation travels as everything else does: what the commune decides holds at the province, what had been relayed
is taken out there too, and a person moved or dead keeps what others wrote meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import httpx
import pytest
import sqlalchemy as sa

from app.audit import verify
from app.database import Database
from app.ledger.enrolment import invite
from app.ledger.relay import join, relay_all
from app.ledger.revoking import release, revoke
from app.ledger.tables import quarantine
from tests.conftest import TestClock, migrate
from tests.ledger import state
from tests.ledger.test_sessions import assertion, bearer, log_in
from tests.nodes import Tablet, TestNode, household_of, make_node

URL = "http://mboka.example"
HERE, THERE = "1017010", "1017021"
MIB = 1 << 20


@pytest.fixture
def province(
    fresh_database_url: Callable[[], str | None], tmp_path: Path, clock: TestClock
) -> Iterator[TestNode]:
    url = fresh_database_url() or f"sqlite:///{tmp_path / 'province.db'}"
    migrate(url)
    with closing(Database(url)) as database:
        yield make_node(database, tmp_path, kind="province", commune=None, clock=clock)


@pytest.fixture
def commune(database: Database, province: TestNode, tmp_path: Path, clock: TestClock) -> TestNode:
    made = make_node(database, tmp_path, kind="commune", clock=clock)
    admin, _ = province.add_officer("admin")
    with province.database.write() as connection:
        code = invite(
            connection,
            province.door,
            agent=admin,
            role="admin",
            areas=["CD-KN-017"],
            at=clock.now(),
            minutes=15,
        ).code
    pinned = province.door.standing.province or ""
    join(made.door, url=URL, code=code, province=pinned, client=cast(httpx.Client, province.client))
    return made


def relay(commune: TestNode, province: TestNode) -> None:
    done = relay_all(commune.door, cast(httpx.Client, province.client), most_bytes=MIB)
    assert done.refused == 0


def alike(commune: TestNode, province: TestNode) -> None:
    assert state.rows(commune) == state.rows(province)
    assert state.conflicts(commune) == state.conflicts(province)
    assert state.rollups(commune) == state.rollups(province)
    for node in (commune, province):
        report = verify(node.database, key=node.door.identity.key.public)
        assert report.ok, report.first_difference


def aside(node: TestNode) -> int:
    with node.database.read() as connection:
        return int(
            connection.execute(
                sa.select(sa.func.count()).where(quarantine.c.reason == "revoked")
            ).scalar_one()
        )


def put_out(node: TestNode, tablet: Tablet, *, after: str = "none") -> None:
    with node.database.write() as connection:
        revoke(connection, node.door, tablet.dev, after=after, reason="volée", by=tablet.agent)


def test_moved_and_dead_here_while_an_agent_edited_three_weeks_there_and_was_revoked(
    commune: TestNode, province: TestNode, clock: TestClock
) -> None:
    """The batches were relayed before anybody knew: the household's move and the death stand, what the agent wrote
    since his last honest batch is out on both servers, and nothing of the others is lost with it."""
    honest, agent, clerk = commune.tablet(HERE), commune.tablet(HERE), commune.tablet(HERE, role="clerk")
    family = household_of(2)
    home, head = family[0]["id"], family[1]["id"]
    commune.push(honest, *family)
    good = commune.push(agent, {"kind": "person", "id": head, "set": {"occupation": "maçon"}})
    moved = {"commune": "CD-KN-017", "quartier": THERE, "avenue": "Kasaï", "number": "4"}
    commune.push(honest, {"kind": "household", "id": home, "set": moved, "par": {"commune": [1]}})
    commune.push(clerk, {"kind": "person", "id": head, "set": {"status": "dead"}, "ev": "document"})
    relay(commune, province)
    stood = state.rows(commune)
    for week in range(3):
        works = {"phone": f"+24381000000{week}", "status": "present", "nom": "Faux"}
        commune.push(
            agent,
            {"kind": "person", "id": head, "set": works},
            {"kind": "household", "id": home, "set": {"tenure": "owner", "avenue": f"Rue {week}"}},
            *household_of(1),
        )
        relay(commune, province)
    assert state.conflicts(province)
    counted = state.rollups(province)
    put_out(commune, agent, after=good["sha256"])
    assert state.rows(commune) == stood
    assert state.rows(province) != stood
    relay(commune, province)
    alike(commune, province)
    assert state.rows(province) == stood
    assert state.rollups(province) != counted
    assert (aside(commune), aside(province)) == (15, 15)
    person = state.rows(province, "person")[f"person {head}"]
    assert (person["set"]["status"], person["set"]["occupation"]) == ("dead", "maçon")
    late = commune.push(agent, {"kind": "person", "id": head, "set": {"phone": "1"}})
    assert late["dispositions"] == {"17": {"status": "quarantined", "reason": "revoked"}}
    relay(commune, province)
    alike(commune, province)
    with commune.database.write() as connection:
        release(connection, commune.door, agent.dev, batches=[late["sha256"]], by=agent.agent)
    relay(commune, province)
    alike(commune, province)
    assert state.rows(province, "person")[f"person {head}"]["set"]["phone"] == "1"


def test_a_revocation_by_the_commune_ends_sessions_at_the_province(
    commune: TestNode, province: TestNode
) -> None:
    tablet = commune.tablet(HERE)
    commune.push(tablet, *household_of(1))
    relay(commune, province)
    headers = bearer(province, tablet)
    assert province.client.get("/sync/v1/changes", headers=headers).status_code == 200
    put_out(commune, tablet)
    relay(commune, province)
    answer = province.client.get("/sync/v1/changes", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "revoked")
    assert log_in(province, assertion(province, tablet)).json()["code"] == "revoked"


def test_a_commune_cannot_revoke_a_tablet_of_another_nor_a_server(
    commune: TestNode, province: TestNode
) -> None:
    """Its operation is kept and signed like any other; it only has no effect."""
    elsewhere = province.tablet("CD-KN-001", officer=province.add_officer("agent", "CD-KN-001")[0])
    province.push(elsewhere, *household_of(1, quartier="1001010"))
    before = state.rows(province)
    with commune.database.write() as connection:
        told = [
            {"kind": "device", "id": dev, "set": {"revoked": {"7": None}}}
            for dev in (elsewhere.dev, commune.door.identity.dev, province.door.identity.dev)
        ]
        commune.door.write(connection, told, by=elsewhere.agent)
    relay(commune, province)
    assert state.rows(province) == before
    assert log_in(province, assertion(province, elsewhere)).status_code == 201


def test_the_province_revokes_a_communes_server_and_what_that_server_revoked_is_lifted(
    commune: TestNode, province: TestNode
) -> None:
    tablet = commune.tablet(HERE)
    commune.push(tablet, *household_of(1))
    relay(commune, province)
    shown = state.rows(province)
    last = commune.door.identity
    put_out(commune, tablet)
    relay(commune, province)
    assert state.rows(province) == {}
    with province.database.write() as connection:
        revoke(connection, province.door, last.dev, after="none", reason="serveur volé", by=tablet.agent)
    assert state.rows(province) == shown
    report = verify(province.database, key=province.door.identity.key.public)
    assert report.ok, report.first_difference
