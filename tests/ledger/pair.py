"""A commune joined to a province, on one engine, with a line between them that can be cut, and backups of both."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from app.database import Database
from app.ledger.enrolment import invite
from app.ledger.node import keep_marks
from app.ledger.relay import Relayed, exchange, join, relay_all
from app.main import create_app
from app.node import Node
from tests.conftest import Engines, TestClock
from tests.nodes import TestNode, Wire, make_node
from tests.web.client import InProcess

MIB = 1 << 20
COMMUNE = "CD-KN-017"


class Two:
    """A commune and its province."""

    def __init__(self, commune: TestNode, province: TestNode, clock: TestClock) -> None:
        self.commune, self.province, self.clock = commune, province, clock
        self.wire = Wire(province=province)
        self.client = httpx.Client(transport=self.wire)
        self.closing = ExitStack()
        self.closing.callback(self.client.close)
        self.databases: Databases | None = None

    def join(self, commune: TestNode | None = None, *, area: str = COMMUNE) -> None:
        """Enrol a server (this commune's without one) at the province."""
        officer, _ = self.province.add_officer("admin")
        now = self.province.node.clock.now()
        with self.province.database.write() as connection:
            made = invite(
                connection, self.province.door, agent=officer, role="admin", areas=(area,), at=now, minutes=15
            )
        pin = self.province.door.standing.province or ""
        door = (commune or self.commune).door
        join(door, url="http://province/", code=made.code, province=pin, client=self.client)

    def relay(self, client: httpx.Client | None = None) -> Relayed:
        """Only upwards."""
        return relay_all(self.commune.door, client or self.client, most_bytes=MIB)

    def exchange(self, commune: TestNode | None = None) -> Relayed:
        """Upwards and downwards."""
        return exchange((commune or self.commune).door, self.client, most_bytes=MIB)

    def new_commune(self, directory: Path, *, code: str = COMMUNE) -> TestNode:
        """Another server on an empty database, not joined yet."""
        assert self.databases is not None
        return make_node(self.databases.fresh(), directory, kind="commune", commune=code, clock=self.clock)

    def backup(self, node: TestNode) -> Database:
        """A copy of a node's database as it is now."""
        assert self.databases is not None
        return self.databases.copy(node.database)

    def restored(self, node: TestNode, backup: Database) -> TestNode:
        """The node started again on a backup, its own directory being what it was when it stopped."""
        keep_marks(node.database, Path(node.node.settings.data))
        return self.restored_unmarked(node, backup)

    def restored_unmarked(self, node: TestNode, backup: Database) -> TestNode:
        """The same where the directory was not written since the backup."""
        made = Node.open(node.node.settings, database=backup, clock=node.node.clock)
        application = create_app(made)
        again = TestNode(made, application, InProcess(application), node.counter)
        if node is self.province:
            self.province = again
            self.wire.nodes["province"] = again
        return again


class Databases:
    """Fresh databases and copies on one engine, gone at the end."""

    def __init__(self, engines: Engines, server: str, home: Path, closing: ExitStack) -> None:
        self._engines, self._server, self._home, self._closing = engines, server, home, closing

    def fresh(self) -> Database:
        """Migrated and empty."""
        return self._from(self._engines.template(self._server))

    def copy(self, database: Database) -> Database:
        """A copy of this one."""
        database.engine.dispose()
        return self._from(database.url.database or "")

    def _from(self, template: str) -> Database:
        if self._server == "sqlite":
            copy = self._home / f"{uuid.uuid4().hex}.db"
            shutil.copy(template, copy)
            made = Database(f"sqlite:///{copy}")
        else:
            server = self._engines.server(self._server)
            name = server.create(template)
            self._closing.callback(server.drop, name)
            made = Database(server.url(name))
        self._closing.callback(made.close)
        return made


@contextmanager
def two_of(
    engines: Engines, server: str, home: Path, *, database: Database, clock: TestClock
) -> Iterator[Two]:
    """A commune in `database` that joined a province in a fresh one."""
    with ExitStack() as closing:
        databases = Databases(engines, server, home, closing)
        commune = make_node(database, home, kind="commune", clock=clock)
        province = make_node(databases.fresh(), home, kind="province", clock=TestClock(clock.moment))
        made = Two(commune, province, clock)
        made.databases = databases
        closing.push(made.closing.pop_all())
        made.join()
        yield made
