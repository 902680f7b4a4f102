"""Tablets enrolled at nodes of this process over a bad network: what the tests of the client begin with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.ledger.enrolment import invite
from sync.client import Tablet
from sync.sqlite_store import SqliteStore
from sync.store import Store
from tests.nodes import TestNode
from tests.sync.network import HOME, Network, Waits

ITIMBIRI = "1017010"


def invitation(node: TestNode, *areas: str, role: str = "agent") -> str:
    """The code of an invitation for a new officer of this node."""
    officer, _ = node.add_officer(role)
    with node.database.write() as connection:
        made = invite(
            connection,
            node.door,
            agent=officer,
            role=role,
            areas=areas or (ITIMBIRI,),
            at=node.node.clock.now(),
            minutes=15,
        )
    return made.code


def thumbprint(node: TestNode) -> str:
    """The thumbprint of the province key this node stands under."""
    found = node.door.standing.province
    assert found is not None
    return found


def enrol(
    node: TestNode,
    network: Network,
    folder: Path,
    *,
    url: str = HOME,
    waits: Waits | None = None,
    clock: Callable[[], float] | None = None,
) -> Tablet:
    """A tablet with a durable outbox in `folder`, enrolled at this node."""
    return Tablet.enrol(
        SqliteStore(folder),
        url=url,
        code=invitation(node),
        province=thumbprint(node),
        name="Tablette 1",
        http=network.client(),
        patience=(waits or Waits()).patience(),
        clock=clock or (lambda: 1_800_000_000.0),
    )


def again(
    tablet: Tablet, network: Network, *, store: Store | None = None, clock: Callable[[], float] | None = None
) -> Tablet:
    """The same tablet after its program was started anew."""
    return Tablet(
        store or tablet.store,
        network.client(),
        patience=Waits().patience(),
        clock=clock or (lambda: 1_800_000_000.0),
    )


def households(node: TestNode) -> int:
    """How many households the node shows."""
    with node.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM household").scalar_one())
