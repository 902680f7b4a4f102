"""What a commune relayed is audited at both ends: grants that chain, the province's receipts, the same figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
import sqlalchemy as sa
from backports import zstd

from app.audit import verify
from app.clock import Clock
from app.database import Database
from app.ledger.bringing import bring_all
from app.ledger.enrolment import invite
from app.ledger.relay import join, relay_all
from app.ledger.tables import batch, brought, brought_answer, device, origin
from app.ledger.tables import node as node_table
from sync.seal import Key, make_grant
from tests.conftest import migrate
from tests.nodes import TestNode, household_of, make_node

URL = "http://mboka.example"


@pytest.fixture
def commune(database: Database, tmp_path: Path) -> TestNode:
    return make_node(database, tmp_path, kind="commune")


@pytest.fixture
def province(fresh_database_url: Callable[[], str | None], tmp_path: Path) -> Iterator[TestNode]:
    url = fresh_database_url() or f"sqlite:///{tmp_path / 'province.db'}"
    migrate(url)
    database = Database(url)
    yield make_node(database, tmp_path, kind="province", commune=None)
    database.close()


def relay(commune: TestNode, province: TestNode) -> None:
    """Join the commune to the province, let a tablet bring a family in and send everything upwards."""
    client = cast(httpx.Client, province.client)
    door = province.door
    admin, _ = province.add_officer("admin")
    with province.database.write() as connection:
        code = invite(
            connection, door, agent=admin, role="admin", areas=["CD-KN-017"], at=Clock().now(), minutes=15
        ).code
    join(commune.door, url=URL, code=code, province=door.standing.province or "", client=client)
    commune.push(commune.tablet("1017010"), *household_of(3))
    assert relay_all(commune.door, client, most_bytes=1 << 20).refused == 0


def change(node: TestNode, statement: sa.Update) -> None:
    with node.database.write() as connection:
        assert connection.execute(statement).rowcount >= 1


def test_a_commune_that_has_not_joined_needs_its_own_key(commune: TestNode) -> None:
    with commune.database.write() as connection:
        commune.door.write(connection, household_of(2), by="clerk")
    assert verify(commune.database, key=commune.door.identity.key.public).ok
    report = verify(commune.database)
    assert "la clé de ce serveur manque" in (report.first_difference or "")
    assert not verify(commune.database, key=Key.generate().public).ok


def test_what_was_relayed_is_clean_at_both_ends(commune: TestNode, province: TestNode) -> None:
    relay(commune, province)
    for each in (commune, province):
        report = verify(each.database)
        assert report.first_difference is None
        assert report.ok
    assert verify(province.database).operations == verify(commune.database).operations + 1


def test_a_receipt_the_province_did_not_sign_is_named(commune: TestNode, province: TestNode) -> None:
    relay(commune, province)
    change(commune, batch.update().values(province_receipt=batch.c.province_receipt + " "))
    report = verify(commune.database)
    assert "le reçu de la province ne porte pas la bonne signature" in (report.first_difference or "")
    assert report.differences == {"receipt": 2}


def test_another_province_than_the_one_joined_is_named(commune: TestNode, province: TestNode) -> None:
    relay(commune, province)
    change(commune, node_table.update().values(province="A" * 43))
    report = verify(commune.database)
    assert "son certificat ne tient pas" in (report.first_difference or "")
    assert report.differences["trust"] >= 3


def test_a_grant_from_outside_the_province_is_named(commune: TestNode, province: TestNode) -> None:
    relay(commune, province)
    stranger = Key.generate()
    with commune.database.read() as connection:
        dev = connection.execute(sa.select(device.c.id)).scalar_one()
    forged = make_grant(
        stranger,
        node=province.door.identity.dev,
        dev=dev,
        key=stranger.public.jwk(),
        agent="agent",
        role="province",
        areas=["CD-KN-017"],
        expires="2030-01-01T00:00:00.000Z",
        node_cert=province.door.standing.node_cert,
    )
    change(province, device.update().where(device.c.id == dev).values(grant=forged))
    report = verify(province.database)
    assert "l'autorisation ne remonte pas à la clé de la province" in (report.first_difference or "")


def test_what_was_brought_down_is_clean_and_each_change_of_it_is_named(
    commune: TestNode, province: TestNode
) -> None:
    relay(commune, province)
    client = cast(httpx.Client, province.client)
    tablet, family = commune.tablet("1017010"), household_of(2)
    relay_all(commune.door, client, most_bytes=1 << 20)
    direct = [
        tablet.seal(family),
        tablet.seal([{"kind": "person", "id": family[1]["id"], "set": {"nom": "K"}}]),
    ]
    for data, signature in direct:
        province.door.accept(data, signature, grant=tablet.grant)
    assert bring_all(commune.door, client).lines == 6
    assert verify(commune.database).first_difference is None
    commune.push_sealed(*direct[1])
    commune.push(tablet.clone(), {"kind": "person", "id": family[2]["id"], "set": {"nom": "L"}}, start=4)
    bring_all(commune.door, client)
    assert verify(commune.database).first_difference is None

    last = sa.select(sa.func.max(brought.c.id)).scalar_subquery()
    change(commune, brought.update().where(brought.c.id == last).values(role="province"))
    assert "n'est pas dans la réponse signée" in (verify(commune.database).first_difference or "")
    change(commune, brought_answer.update().values(content=zstd.compress(b"{}\n")))
    assert verify(commune.database).differences["brought"] >= 6


def test_an_announced_number_that_was_never_brought_is_named(commune: TestNode, province: TestNode) -> None:
    relay(commune, province)
    bring_all(commune.door, cast(httpx.Client, province.client))
    change(commune, origin.update().where(origin.c.brought.is_not(None)).values(brought="[[1,9]]"))
    assert verify(commune.database).differences == {"range": 1}
