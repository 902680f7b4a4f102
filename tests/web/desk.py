"""A node with an officer of every role and one record of everything, and every call by which something is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from app.access.paging import encode_cursor
from app.population.tables import household, person
from tests.conftest import Engines, TestClock
from tests.lasting import lasting_database
from tests.nodes import TestNode, make_node
from tests.topics import topics

BOOK = {"office": "CD-KN-017-01", "volume": "1"}
CHILD = {
    "nom": "Mbuyi",
    "sex": "F",
    "birth_date": "2026-01-10",
    "declared_on": "2026-02-01",
    "mode": "direct",
}
JUDGMENT = {"court": "Tribunal pour enfants", "number": "RCE 1204", "date": "2026-01-15"}


@dataclass(frozen=True)
class Write:
    """One call that writes: who may make it (None = anybody), and a body that is right but for what must differ."""

    method: str
    route: str
    role: str | None
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """ "POST /v1/births"."""
        return f"{self.method} {self.route}"


JSON_WRITES = [
    Write("POST", "/v1/sessions", None, {"username": "personne", "password": "tiges de bambou 2026"}),
    Write("POST", "/sync/v1/sessions", None, {"assertion": "a.b.c"}),
    Write("POST", "/sync/v1/enrolments", None, {
        "code": "7K3M9QTX", "public_key": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "name": "Tablette",
        "proof": "a.b.c", "dev": None, "demo": False,
    }),
    Write("POST", "/v1/officers", "admin", {
        "username": "nouveau", "name": "Nouveau", "role": "clerk", "commune": "CD-KN-017",
        "password": "tiges de bambou 2026",
    }),
    Write("PATCH", "/v1/officers/{officer_id}", "admin", {"name": "Autre"}),
    Write("POST", "/v1/invitations", "admin", {"agent": "agent1", "areas": ["1017010"]}),
    Write("POST", "/v1/clock/confirmation", "admin", {"date": "2026-02-02"}),
    Write("POST", "/v1/households", "clerk", {"quartier": "1017010", "avenue": "Kasaï", "number": "12"}),
    Write("PATCH", "/v1/households/{id}", "clerk", {"avenue": "Kasaï"}),
    Write("POST", "/v1/persons", "clerk", {"nom": "Ilunga", "sex": "M", "birth_date": "1987-05"}),
    Write("PATCH", "/v1/persons/{id}", "clerk", {"occupation": "vendeuse"}),
    Write("POST", "/v1/births", "clerk", CHILD),
    Write("PATCH", "/v1/births/{birth_id}", "clerk", {"prenom": "Grâce"}),
    Write("POST", "/v1/births/{birth_id}/registration", "registrar", {**BOOK, "judgment": JUDGMENT}),
    Write("POST", "/v1/conflicts/{id}/resolution", "clerk", {"value": {"nom": "Ilunga"}, "evidence": "document"}),
    Write("POST", "/v1/tasks/{task_id}/done", "clerk", {"note": "Recensé chez sa grand-mère."}),
    *(Write(*each) for topic in topics("tests.web", "writes") for each in topic.WRITES),
]  # fmt: skip
OTHER_WRITES = {
    *(("POST", "/sync/v1/batches"), ("POST", "/sync/v1/bundles")),
    *(("POST", "/v1/imports/acts"), ("POST", "/v1/imports")),
}
NO_BODY = {
    *(("DELETE", f"/v1/sessions/{which}") for which in ("current", "{session_id}")),
    ("DELETE", "/v1/officers/{officer_id}/factor"),
    ("POST", "/v1/keyings/{keying_id}/run"),
}
# Acts on whole records and on devices: see tests/population/test_joining.py, tests/ledger/test_revocation.py.
ACTS = {
    *(
        ("POST", f"/v1/{kind}/{{id}}/{act}")
        for kind in ("persons", "households")
        for act in ("void", "restore", "merge", "unmerge")
    ),
    ("POST", "/v1/devices/{dev}/revocation"),
    ("POST", "/v1/devices/{dev}/release"),
    ("PUT", "/v1/devices/{dev}/areas"),
}


@dataclass
class Desk:
    """The node, the headers of each role, and the ids that stand for the parameters of each route."""

    node: TestNode
    headers: dict[str | None, dict[str, str]]
    ids: dict[str, str]
    counter: Iterator[int] = field(default_factory=count)

    def path(self, route: str) -> str:
        """The route's path with existing ids in it."""
        kind = route.removeprefix("/v1/").partition("/")[0]
        return route.format(id=self.ids.get(kind, ""), **{k: v for k, v in self.ids.items() if k != "id"})

    def send(self, write: Write, body: bytes, **headers: str) -> httpx.Response:
        """This body, as an officer who may write it sends it; a PATCH says which version he saw."""
        path = self.path(write.route)
        said = {"Content-Type": "application/json", **self.headers[write.role]}
        if write.method == "PATCH" and "officer" not in path:
            said["If-Match"] = self.node.client.get(path, headers=said).headers["etag"]
        if "/conflicts/" in path:
            about = path.removesuffix("/resolution")
            seen = self.node.client.get(about, headers=said)
            if seen.status_code == 404:
                self.contest()
                seen = self.node.client.get(about, headers=said)
            said["If-Match"] = seen.headers["etag"]
        return self.node.client.request(write.method, path, content=body, headers=said | headers)

    def contest(self) -> None:
        """A tablet that has seen nothing says another name: the conflict is open (again)."""
        name = f"Ilungu {next(self.counter)}"
        self.node.push(
            self.node.tablet("CD-KN-017"),
            {"kind": "person", "id": self.ids["persons"], "set": {"nom": name}},
        )

    def declare(self) -> None:
        """One more birth without an act, for the calls about a birth."""
        made = self.node.client.post("/v1/births", json=CHILD, headers=self.headers["clerk"])
        assert made.status_code == 201, made.text
        self.ids["birth_id"] = made.json()["id"]

    def get(self, path: str, role: str | None) -> httpx.Response:
        """The answer to this officer."""
        return self.node.client.get(path, headers=self.headers[role])

    def records(self) -> dict[str, dict[str, Any]]:
        """Every household and person as stored, by id."""
        with self.node.database.read() as connection:
            return {
                row["id"]: dict(row)
                for table in (household, person)
                for row in connection.execute(sa.select(table)).mappings()
            }

    @contextmanager
    def neighbours(self) -> Iterator[None]:
        """A person written before stays as he is, and one more can be written afterwards."""
        write = next(each for each in JSON_WRITES if each.name == "POST /v1/persons")
        before = self.node.client.post(write.route, json=dict(write.body), headers=self.headers["clerk"])
        assert before.status_code == 201, before.text
        stored = self.records()[before.json()["id"]]
        yield
        after = self.node.client.post(write.route, json=dict(write.body), headers=self.headers["clerk"])
        assert after.status_code == 201, after.text
        now = self.records()
        assert now[before.json()["id"]] == stored
        assert after.json()["id"] in now


@contextmanager
def open_desk(engines: Engines, engine: str, directory: Path) -> Iterator[Desk]:
    """A node of kind `both` for Kintambo; it is 2 February 2026."""
    with lasting_database(engines, engine, directory) as database:
        node = make_node(database, directory, clock=TestClock(datetime(2026, 2, 2, 9, tzinfo=UTC)))
        roles = ("agent", "clerk", "registrar", "supervisor", "planner", "admin")
        headers: dict[str | None, dict[str, str]] = {role: node.officer(role) for role in roles}
        desk = Desk(node, headers | {None: {}}, {})
        spare, _ = node.add_officer("agent")
        desk.ids = {"officer_id": spare, "code": "CD-KN-017"}
        for name in ("households", "persons"):
            write = next(each for each in JSON_WRITES if each.name == f"POST /v1/{name}")
            made = node.client.post(write.route, json=dict(write.body), headers=desk.headers["clerk"])
            assert made.status_code == 201, made.text
            desk.ids[name] = made.json()["id"]
        desk.contest()
        desk.ids["conflicts"] = encode_cursor("person", desk.ids["persons"], "nom")
        desk.declare()
        address = desk.path("/v1/births/{birth_id}/registration")
        act = node.client.post(address, json=BOOK, headers=desk.headers["registrar"])
        assert act.status_code == 201, act.text
        desk.ids["task_id"] = act.json()["task"]
        for topic in topics("tests.web", "writes"):
            desk.ids |= topic.plant(desk)
        desk.declare()
        yield desk
