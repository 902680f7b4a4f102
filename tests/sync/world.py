"""A small province in this process for the tests of the protocol: one province, two communes, three tablets over a bad
network, and a ledger of all that was entered, which no fault reaches. Real databases and doors; judges nothing."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import sqlalchemy as sa

from app.database import Database
from app.errors import Problem
from app.ledger.enrolment import invite
from app.ledger.node import keep_marks
from app.ledger.relay import exchange, join
from app.ledger.revoking import NOTHING, change_areas, revoke
from app.ledger.tables import batch
from app.main import create_app
from app.node import Node
from app.settings import Settings
from sync.answers import SyncError
from sync.catalogue import register_of
from sync.client import Tablet
from sync.protocol import absolute, dot
from sync.sqlite_store import SqliteStore
from tests.conftest import Engines, TestClock, migrate
from tests.nodes import TestNode, make_node
from tests.sync.devices import invitation
from tests.sync.network import Fault, Network, Waits
from tests.web.client import InProcess

PROVINCE, KINTAMBO, KIMBANSEKE = "province", "CD-KN-017", "CD-KN-008"
COMMUNES = (KINTAMBO, KIMBANSEKE)
URLS = {
    PROVINCE: "http://127.0.0.1:8018",
    KINTAMBO: "http://127.0.0.1:8017",
    KIMBANSEKE: "http://127.0.0.1:8016",
}
# Tablet → home, role, areas: an agent and a clerk of one commune, so that they meet, and an agent of the other.
TABLETS = {
    "a": (KINTAMBO, "agent", ("1017010", "1017021")),
    "b": (KINTAMBO, "clerk", (KINTAMBO,)),
    "c": (KIMBANSEKE, "agent", (KIMBANSEKE,)),
}
START = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
BATCH_OPERATIONS = 3
Place = tuple[str, int, int]


class PowerCut(Exception):
    """Ends a transaction before its commit."""


def _node_folder(home: Path, name: str) -> Path:
    return home / f"node-{name}"


def _tablet_folder(home: Path, name: str) -> Path:
    return home / f"tablet-{name}"


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of a SQLite file that may be open."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)


@dataclass
class Bases:
    """Where the databases of one engine come from: files for SQLite, cloned databases for PostgreSQL."""

    engines: Engines
    engine: str
    made: list[str] = field(default_factory=list)

    def url(self, home: Path, name: str, base: str) -> str:
        """The address of a database."""
        if self.engine == "sqlite":
            return f"sqlite:///{home / f'{name}.db'}"
        return self.engines.server(self.engine).url(base)

    def empty(self, home: Path, name: str) -> str:
        """The address of a new database with the schema of the newest migration."""
        base = "" if self.engine == "sqlite" else self._create(None)
        url = self.url(home, name, base)
        migrate(url)
        return url

    def copy(self, url: str, home: Path, name: str) -> str:
        """The address of a copy of a database nobody writes to."""
        if self.engine == "sqlite":
            made = self.url(home, name, "")
            copy_sqlite(Path(str(sa.make_url(url).database)), Path(str(sa.make_url(made).database)))
            return made
        return self.url(home, name, self._create(str(sa.make_url(url).database)))

    def _create(self, template: str | None) -> str:
        self.made.append(self.engines.server(self.engine).create(template))
        return self.made[-1]

    def drop_since(self, mark: int) -> None:
        """Forget the databases made since there were `mark` of them."""
        for base in self.made[mark:]:
            self.engines.server(self.engine).drop(base)
        del self.made[mark:]


@dataclass
class Template:
    """A province that is set up, and at rest: what every world is a copy of."""

    bases: Bases
    home: Path
    urls: dict[str, str]
    agents: dict[str, str]
    mark: int


def build_template(engines: Engines, engine: str, home: Path) -> Template:
    """Set the province up: nodes made and joined, tablets enrolled."""
    bases = Bases(engines, engine)
    urls = {name: bases.empty(home, name) for name in URLS}
    network, nodes, agents = Network(), dict[str, TestNode](), dict[str, str]()
    clock = TestClock(START)
    for name, url in urls.items():
        kind = "province" if name == PROVINCE else "commune"
        made = make_node(
            Database(url), home, kind=kind, commune=None if name == PROVINCE else name, clock=clock
        )
        shutil.copytree(made.node.settings.data, _node_folder(home, name))
        nodes[name] = made
        network.applications[URLS[name]] = made.app
    for commune in COMMUNES:
        admin, _ = nodes[PROVINCE].add_officer("admin", username=f"admin{commune[-3:]}")
        with nodes[PROVINCE].database.write() as connection:
            code = invite(
                connection,
                nodes[PROVINCE].door,
                agent=admin,
                role="admin",
                areas=[commune],
                at=clock.now(),
                minutes=15,
            ).code
        key = nodes[PROVINCE].door.standing.province or ""
        join(nodes[commune].door, url=URLS[PROVINCE], code=code, province=key, client=network.client())
    for name, (commune, role, areas) in TABLETS.items():
        store = SqliteStore(_tablet_folder(home, name))
        made_tablet = Tablet.enrol(
            store,
            url=URLS[commune],
            code=invitation(nodes[commune], *areas, role=role),
            province=nodes[PROVINCE].door.standing.province or "",
            name=f"Tablette {name}",
            http=network.client(),
            patience=Waits().patience(),
        )
        agents[name] = made_tablet.agent
        store.close()
    for each in nodes.values():
        each.database.close()
    return Template(bases, home, urls, agents, len(bases.made))


class World:
    """One copy of the template, in which things happen. `entered` is what nobody may lose: place → lines."""

    def __init__(self, template: Template, home: Path) -> None:
        self.template = template
        self.home = home
        self.network = Network()
        self.clocks = {name: TestClock(START) for name in URLS}
        self.urls: dict[str, str] = {}
        self.nodes: dict[str, TestNode] = {}
        self.tablets: dict[str, Tablet] = {}
        self.entered: dict[Place, set[bytes]] = defaultdict(set)
        self.saved: dict[str, str] = {}
        self.revoked: set[str] = set()
        self.stolen: set[str] = set()
        self.copies = 0
        self.cut_commits = 0
        for name, url in template.urls.items():
            shutil.copytree(_node_folder(template.home, name), _node_folder(home, name))
            self.urls[name] = template.bases.copy(url, home, name)
            self.open(name)
        for name in TABLETS:
            self._copy_tablet(_tablet_folder(template.home, name), name)

    def close(self) -> None:
        """Close and forget everything."""
        for tablet in self.tablets.values():
            _close_store(tablet)
        for node in self.nodes.values():
            node.database.close()
        self.template.bases.drop_since(self.template.mark)

    # -- nodes -------------------------------------------------------------------------------------------------

    def open(self, name: str) -> TestNode:
        """Start a node's process (again) on its folder and its database."""
        if name in self.nodes:
            self.nodes[name].database.close()
        database = Database(self.urls[name])
        settings = Settings(data=_node_folder(self.home, name), database_url=self.urls[name])
        node = Node.open(settings, database=database, clock=self.clocks[name])
        sa.event.listen(database.engine, "commit", self._may_cut)
        application = create_app(node)
        made = TestNode(node, application, InProcess(application))
        self.nodes[name] = made
        self.network.applications[URLS[name]] = application
        return made

    def _may_cut(self, connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("mboka_write") or (
            connection.dialect.name == "postgresql"
            and "isolation_level" not in connection.get_execution_options()
        )
        if self.cut_commits and writes:
            self.cut_commits -= 1
            raise PowerCut

    def back_up(self, name: str) -> None:
        """Copy a node's database as an administrator would, to be restored later."""
        self.nodes[name].database.close()
        self.copies += 1
        self.saved[name] = self.template.bases.copy(self.urls[name], self.home, f"{name}-backup{self.copies}")

    def restore(self, name: str, *, noticed: bool = True) -> None:
        """Put the older copy in the place of the node's database and start it; its folder stays as it is.

        `noticed`: the folder knew of batches that the copy lacks; else nobody at the server can tell.
        """
        if noticed:
            keep_marks(self.nodes[name].database, _node_folder(self.home, name))
        self.nodes[name].database.close()
        self.copies += 1
        self.urls[name] = self.template.bases.copy(
            self.saved[name], self.home, f"{name}-restored{self.copies}"
        )
        self.open(name)

    # -- tablets -----------------------------------------------------------------------------------------------

    def _copy_tablet(self, folder: Path, name: str) -> None:
        target = _tablet_folder(self.home, name)
        target.mkdir()
        copy_sqlite(folder / "outbox.sqlite", target / "outbox.sqlite")
        self.start_tablet(name)

    def start_tablet(self, name: str) -> Tablet:
        """Start a tablet's program (again)."""
        if name in self.tablets:
            _close_store(self.tablets[name])
        patience = Waits().patience(tries=2)
        self.tablets[name] = Tablet(
            SqliteStore(_tablet_folder(self.home, name)),
            self.network.client(),
            patience=patience,
            clock=lambda: 1_800_000_000.0,
        )
        return self.tablets[name]

    def clone_tablet(self, name: str) -> str:
        """A second tablet that is a copy of this one, key and epoch included; gives its name here."""
        made = f"{name}'{len(self.tablets)}"
        self._copy_tablet(_tablet_folder(self.home, name), made)
        return made

    def revoke(self, name: str, *, which: int) -> None:
        """Its home revokes a tablet (and its clones), up to one of the batches it took, or altogether."""
        node, dev = self.nodes[self.home_of(name)], self.tablets[name].dev
        with node.database.write() as connection:
            query = sa.select(batch.c.sha256).where(batch.c.dev == dev, batch.c.origin.is_not(None))
            known = [*connection.execute(query.order_by(batch.c.id)).scalars(), NOTHING]
            revoke(connection, node.door, dev, after=known[which % len(known)], reason="volée", by="admin")
        self.revoked.add(dev)

    def change_areas(self, name: str, areas: list[str]) -> None:
        """Its home gives a tablet other areas; it hears of it at its next session."""
        node = self.nodes[self.home_of(name)]
        with node.database.write() as connection:
            change_areas(
                connection,
                node.door,
                self.tablets[name].dev,
                areas=areas,
                by="admin",
                at=node.node.clock.now(),
                grant_days=365,
            )

    def repeat(self, name: str, *, which: int, to: str) -> None:
        """Some batch a tablet has sealed arrives at a server, whether or not it was there before."""
        tablet = self.tablets[name]
        sealed = [each for each in tablet.store.batches() if each.kept]
        if sealed:
            held = sealed[which % len(sealed)]
            data = gzip.decompress(tablet.store.content(held.sha256))
            self._try(
                lambda: self.nodes[to].door.accept(data, held.signature, grant=tablet.store.facts()["grant"])
            )

    def home_of(self, name: str) -> str:
        """The commune a tablet (or the one it was copied from) belongs to."""
        return TABLETS[name[0]][0]

    def enter(self, name: str, *operations: Mapping[str, Any]) -> None:
        """Save operations on a tablet and note them in the ledger no fault can reach."""
        tablet = self.tablets[name]
        tablet.save(operations)
        for ep, n, line in tablet.store.open_lines():
            self.entered[tablet.dev, ep, n].add(line)

    def entities(self, name: str, kind: str) -> list[str]:
        """The ids of this kind that are on a tablet's screen: pulled, or entered there."""
        tablet = self.tablets[name]
        own = {o["id"] for _, o in tablet.own_work_on_top() if o["kind"] == kind}
        store = tablet.store
        assert isinstance(store, SqliteStore)
        pulled = {row[0] for row in store._rows("SELECT id FROM row WHERE kind = ?", kind)}
        return sorted(own | pulled)

    def acts(self, act: str) -> list[str]:
        """The dots of every act of this name entered so far."""
        return [
            dot(*place)
            for place, lines in sorted(self.entered.items())
            if any(orjson.loads(line).get("act") == act for line in lines)
        ]

    def seen(self, name: str, kind: str, identity: str, register: str) -> list[str]:
        """The dots of a register's values on a tablet's screen: what the agent's `par` names."""
        tablet = self.tablets[name]
        shown = set(dots_of(tablet.store.row(kind, identity), register))
        for own, operation in tablet.own_work_on_top():
            if (operation["kind"], operation["id"]) != (kind, identity):
                continue
            dev, ep, _ = own.split(":")
            par = operation.get("par", {})
            shown -= set(absolute(par.get(register, []), dev, int(ep)))
            if operation.get("act", "set") == "set" and register in operation.get("set", {}):
                shown.add(own)
        return sorted(shown)

    # -- exchanges ---------------------------------------------------------------------------------------------

    @contextmanager
    def befalling(self, path: str, fault: Fault | None) -> Iterator[None]:
        """This fault befalls the next call of a path."""
        self.network.faults = {path: [fault]} if fault is not None else {}
        try:
            yield
        finally:
            self.network.faults = {}

    def push(self, name: str, *, to: str | None = None) -> bool:
        """A tablet sends; whether it came to the end."""
        self.tablets[name].seal(BATCH_OPERATIONS)
        return self._try(lambda: self.tablets[name].push(to=URLS[to] if to else None))

    def pull(self, name: str) -> bool:
        """A tablet reads its areas and its receipts; whether it came to the end."""
        return self._try(self.tablets[name].pull) and self._try(self.tablets[name].fetch_receipts)

    def relay(self, commune: str) -> bool:
        """A commune sends to the province and brings down what it lacks; whether it came to the end."""
        with self.network.client() as client:
            return self._try(lambda: exchange(self.nodes[commune].door, client, most_bytes=1 << 20))

    @staticmethod
    def _try(step: Any) -> bool:
        try:
            step()
        except (SyncError, Problem, PowerCut, httpx.HTTPError):
            return False
        return True

    def settle(self) -> None:
        """Let the network be good and everybody talk until nothing is left to be said."""
        self.network.faults, self.cut_commits = {}, 0
        said: Any = None
        for _ in range(12):
            for name in sorted(self.tablets):
                self.start_tablet(name)
                if self.tablets[name].dev not in self.stolen:
                    self.push(name)
            for commune in COMMUNES:
                self.relay(commune)
            for name in sorted(self.tablets):
                self.pull(name)
            now = [
                (self.tablets[n].status(), self.tablets[n].store.positions()) for n in sorted(self.tablets)
            ]
            if now == said:
                return
            said = now
        raise AssertionError(f"the tablets and servers never came to rest: {said}")

    def forward(self, name: str, **step: float) -> None:
        """Move a node's clock."""
        self.clocks[name].forward(timedelta(**step))


def dots_of(row: Mapping[str, Any] | None, register: str) -> list[str]:
    """The dots of the live values of a register in a pulled row (protocol section 7)."""
    if row is None:
        return []
    named = [each for each, registers in row.get("dots", {}).items() if register in registers]
    fields = register_of(row["kind"], register).fields
    return named or ([row["dot"]] if row["set"].keys() & set(fields) else [])


def _close_store(tablet: Tablet) -> None:
    store = tablet.store
    assert isinstance(store, SqliteStore)
    store.close()
