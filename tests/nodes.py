"""A whole node in process for the tests: real database, real door, the application behind a client without a socket."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyotp
from fastapi import FastAPI

from app.access import factors
from app.access.office import Office, set_office
from app.access.officers import Officer, add_officer
from app.clock import Clock
from app.database import Database
from app.ledger.door import Door
from app.ledger.enrolment import Request, enrol, invite
from app.ledger.setup import make_node_rows
from app.ledger.tables import node as node_table
from app.main import create_app
from app.node import Node
from app.settings import Settings
from sync.protocol import Header, write_batch, write_line
from sync.seal import Key, make_grant, make_node_cert, sign_compact, sign_detached
from tests.web.client import InProcess

UNHURRIED = {"signing_minutes": 100_000.0, "idle_minutes": 0, "requests_per_minute": 0}
SIGNING = ("registrar", "delegate")
PASSWORD = "tiges de bambou 2026"


@dataclass
class Tablet:
    """A device with its key that seals lines by hand: it can also seal what a real tablet never would."""

    dev: str
    key: Key
    grant: str
    agent: str
    ep: int = 7
    n: int = 0
    prev: str | None = None

    def seal(
        self, operations: Sequence[dict[str, Any] | bytes], *, start: int | None = None
    ) -> tuple[bytes, str]:
        """(batch bytes, detached signature) of these operations, numbered after the last ones or from `start`."""
        lines = [each if isinstance(each, bytes) else write_line(each) for each in operations]
        first = start or self.n + 1
        header = Header(
            1, self.dev, self.ep, first, first + len(lines) - 1, None if start else self.prev, self.agent
        )
        data = write_batch(header, lines)
        if start is None:
            self.n, self.prev = header.to, hashlib.sha256(data).hexdigest()
        return self.seal_bytes(data)

    def seal_bytes(self, data: bytes) -> tuple[bytes, str]:
        """Any bytes under this device's signature, readable or not."""
        return data, sign_detached(self.key, data, kid=self.dev, typ="batch")

    def dot(self, n: int) -> str:
        """The dot of one of its operations in the present epoch."""
        return f"{self.dev}:{self.ep}:{n}"

    def clone(self) -> Tablet:
        """The same device once more, as a copied tablet would be."""
        return Tablet(self.dev, self.key, self.grant, self.agent, self.ep, self.n, self.prev)


@dataclass
class TestNode:
    """A node of one engine; `client` speaks HTTP to it, `door` is its one way in."""

    __test__ = False

    node: Node
    app: FastAPI
    client: InProcess
    counter: int = field(default=0)

    @property
    def door(self) -> Door:
        """The node's door."""
        return self.node.door

    @property
    def database(self) -> Database:
        """The node's database."""
        return self.node.database

    def add_officer(
        self, role: str, commune: str | None = None, *, username: str | None = None
    ) -> tuple[str, str]:
        """(id, username) of a new officer; a commune's officers belong to it unless another is given."""
        self.counter += 1
        name = username or f"{role}{self.counter}"
        home = commune if commune is not None or role == "admin" else self.door.standing.commune
        with self.database.write() as connection:
            row = add_officer(
                connection,
                username=name,
                name=name.title(),
                role=role,
                commune=home,
                password=PASSWORD,
                at=self.node.clock.now(),
                whole_province=self.door.standing.is_province,
            )
        return row.id, name

    def officer(self, role: str, commune: str | None = None) -> dict[str, str]:
        """Headers of a logged-in officer of this role."""
        return self.log_in(*self.add_officer(role, commune), role=role)

    def log_in(self, officer: str, username: str, *, role: str) -> dict[str, str]:
        """Headers of this officer's first session; who signs is in office and has just used his second factor."""
        login = {"username": username, "password": PASSWORD, "purpose": "essai"}
        if role in SIGNING:
            with self.database.write() as connection:
                since = Office("2020-01-01", None, "Arrêté n° 3/2020")
                set_office(connection, officer, since, by=None, at=self.node.clock.now())
            login["otp"] = self.code(self.enrol_factor(officer, username))
        answer = self.client.post("/v1/sessions", json=login)
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    def enrol_factor(self, officer: str, username: str) -> str:
        """The secret of a second factor confirmed half a minute ago, so that the present code is still good."""
        before = self.node.clock.now() - timedelta(seconds=factors.STEP_SECONDS)
        who = Officer(officer, username, username, "registrar", None)
        with self.database.write() as connection:
            secret = factors.start(connection, who, at=before).secret
            factors.confirm(connection, who, pyotp.TOTP(secret).at(before), at=before)
        return secret

    def code(self, secret: str, *, steps: int = 0) -> str:
        """The telephone's code of this secret now, or some steps of 30 s later."""
        return pyotp.TOTP(secret).at(self.node.clock.now(), counter_offset=steps)

    def join_a_province(self, province: Key | None = None) -> None:
        """Give a commune the certificate of a province of which only the key exists, so that it may enrol tablets."""
        identity, standing = self.door.identity, self.door.standing
        key = province or Key.generate()
        cert = make_node_cert(
            key,
            province_node=str(uuid.uuid4()),
            node=identity.dev,
            kind="commune",
            key=identity.key.public.jwk(),
            areas=[standing.commune or ""],
        )
        with self.database.write() as connection:
            values = {"province": key.public.thumbprint(), "node_cert": cert}
            connection.execute(node_table.update().values(**values))
        self.door.refresh()

    def tablet(self, *areas: str, role: str = "agent", officer: str | None = None) -> Tablet:
        """An enrolled tablet of this officer, or of a new one of this role."""
        officer = officer or self.add_officer(role)[0]
        now = self.node.clock.now()
        key = Key.generate()
        with self.database.write() as connection:
            invited = invite(connection, self.door, agent=officer, role=role, areas=areas, at=now, minutes=15)
        proof = sign_compact(
            key,
            {"code": invited.code, "node": self.door.identity.dev},
            kid=key.public.thumbprint(),
            typ="enrol",
        )
        asked = Request(invited.code, key.public.jwk(), "Tablette", proof, None, False)
        with self.database.write() as connection:
            answer = enrol(connection, self.door, asked, at=now, grant_days=365, tries=5)
        return Tablet(answer["dev"], key, answer["grant"], answer["agent"])

    def push(
        self, tablet: Tablet, *operations: dict[str, Any] | bytes, start: int | None = None
    ) -> dict[str, Any]:
        """Seal and push one batch; gives the receipt."""
        return self.push_sealed(*tablet.seal(operations, start=start))

    def push_sealed(self, data: bytes, signature: str) -> dict[str, Any]:
        """Push sealed bytes; gives the receipt."""
        receipt: dict[str, Any] = orjson.loads(self.door.accept(data, signature).text)
        return receipt

    def changes(self, tablet: Tablet, **after: int) -> list[dict[str, Any]]:
        """All rows a tablet would be sent, without the closing line."""
        from app.ledger.feed import Feed, areas_of, read_positions

        sender = self.door.sender(tablet.dev)
        assert sender is not None
        with self.database.read() as connection:
            granted = areas_of(sender, self.door.areas, communes=self.door.territory.communes)
            feed = Feed(connection, self.door, sender, granted=granted)
            lines = list(feed.page(read_positions([], granted), 1 << 30))
        return [orjson.loads(line) for line in lines[:-1]]


def make_node(
    database: Database,
    directory: Path,
    *,
    kind: str = "both",
    commune: str | None = "CD-KN-017",
    clock: Clock | None = None,
    demo: bool = False,
    **settings: Any,
) -> TestNode:
    """A node on a migrated, empty database. `both` certifies itself: it enrols tablets without a province.

    What ends because time passes, or because many requests come, does not unless the test is about it (`settings`).
    """
    home = directory / f"node-{uuid.uuid4().hex[:8]}"
    home.mkdir()
    the_clock = clock or Clock()
    make_node_rows(
        database, home, kind=kind, commune=commune if kind != "province" else None, demo=demo, clock=the_clock
    )
    url = database.url.render_as_string(hide_password=False)
    chosen = Settings(data=home, database_url=url, **(UNHURRIED | settings))
    node = Node.open(chosen, database=database, clock=the_clock)
    application = create_app(node)
    return TestNode(node, application, InProcess(application))


class Wire(httpx.BaseTransport):
    """Carries requests to nodes in this process by host name, so that one node can call another."""

    def __init__(self, **nodes: TestNode) -> None:
        self.nodes = nodes

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the node whose name is the host; a host nobody has is out of reach."""
        node = self.nodes.get(request.url.host)
        if node is None:
            raise httpx.ConnectError("no such node", request=request)
        headers = [(k, v) for k, v in request.headers.items() if k not in ("host", "content-length")]
        answer = node.client.request(
            request.method, request.url.raw_path.decode(), content=request.read(), headers=headers
        )
        plain = [(k, v) for k, v in answer.headers.items() if k not in ("content-encoding", "content-length")]
        return httpx.Response(answer.status_code, headers=plain, content=answer.content)


def stranger(
    node: TestNode,
    *areas: str,
    role: str = "agent",
    certified: str | None = None,
    dev: str | None = None,
) -> Tablet:
    """A tablet this node never saw, enrolled by another server of its province (a node that certifies itself)."""
    province, server, key, dev = node.door.identity, Key.generate(), Key.generate(), dev or str(uuid.uuid4())
    other = str(uuid.uuid4())
    home = list(areas) or ["CD-KN-001"]
    within = certified or node.door.territory.commune_of(home[0]) or home[0]
    cert = make_node_cert(
        province.key,
        province_node=province.dev,
        node=other,
        kind="commune",
        key=server.public.jwk(),
        areas=[within],
    )
    grant = make_grant(
        server,
        node=other,
        dev=dev,
        key=key.public.jwk(),
        agent=str(uuid.uuid4()),
        role=role,
        areas=home,
        expires="2027-01-01T00:00:00.000Z",
        node_cert=cert,
    )
    return Tablet(dev, key, grant, "")


def neighbour(node: TestNode, area: str) -> Tablet:
    """The server of another commune, as the province (a node that certifies itself) enrolled it."""
    province, key, dev = node.door.identity, Key.generate(), str(uuid.uuid4())
    cert = make_node_cert(
        province.key,
        province_node=province.dev,
        node=province.dev,
        kind="province",
        key=province.key.public.jwk(),
        areas=[],
    )
    grant = make_grant(
        province.key,
        node=province.dev,
        dev=dev,
        key=key.public.jwk(),
        agent=str(uuid.uuid4()),
        role="node",
        areas=[area],
        expires="2027-01-01T00:00:00.000Z",
        node_cert=cert,
    )
    return Tablet(dev, key, grant, "")


def new(kind: str, values: dict[str, Any], *, identity: str | None = None) -> dict[str, Any]:
    """An operation that writes an entity down for the first time."""
    return {"kind": kind, "id": identity or str(uuid.uuid4()), "new": True, "set": values}


def household_of(size: int, *, quartier: str = "1017010", **values: Any) -> list[dict[str, Any]]:
    """A household with `size` members and a completed visit, as operations."""
    home = str(uuid.uuid4())
    commune = {"commune": "CD-KN-017", "quartier": quartier, "avenue": "Kimpwanza", "number": "12"}
    members = [
        new(
            "person",
            {"household": home, "nom": "Mbuyi", "prenom": f"Jean{i}", "sex": "M", "birth_date": "1990"},
        )
        for i in range(size)
    ]
    visit = new("visit", {"household": home, "outcome": "completed", "quartier": quartier})
    return [new("household", commune | values, identity=home), *members, visit]
