"""A node whose rollups are filled from described rows, as the door fills them, and officers who ask for figures."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.access import officers
from app.access.endpoints import router as access_router
from app.access.pace import Pace
from app.access.sessions import Login
from app.clock import stamp
from app.database import Database
from app.ledger import bulk
from app.ledger.node import read_standing
from app.ledger.tables import batch, node
from app.settings import Settings
from app.statistics.endpoints import router
from app.statistics.projector import ROLLUPS, make_cells
from app.territory.load import load_territory
from app.territory.places import Territory
from app.web import problems
from tests.conftest import TestClock
from tests.web.client import InProcess

KINTAMBO, KIMBANSEKE = "CD-KN-017", "CD-KN-008"
WENZE, SALONGO = "1017090", "1017070"
PASSWORD = "trois manguiers au marché"

Values = dict[str, Any]
Counted = tuple[str, Values, str]
Ask = Callable[..., Any]


def person(area: str = WENZE, **values: Any) -> Counted:
    return "person", values, area


def household(area: str = WENZE) -> Counted:
    return "household", {}, area


def visit(outcome: str, area: str = WENZE) -> Counted:
    return "visit", {"outcome": outcome}, area


def act(commune: str = KIMBANSEKE, **values: Any) -> Counted:
    return "act", {"commune": commune, **values}, f"civil:{commune}"


class Register:
    """The rollups of one database and the batches they stand for."""

    def __init__(self, database: Database, territory: Territory) -> None:
        self.database = database
        self.territory = territory

    def add(self, *rows: Counted, times: int = 1) -> None:
        """Count these rows, each `times` times; -1 takes them away again."""
        cells, sums = make_cells(self.territory), defaultdict[str, Counter[Any]](Counter)
        for kind, values, area in rows:
            for name, key, count in cells(kind, values, area):
                sums[name][key] += count * times
        with self.database.write() as connection:
            for name, counted in sums.items():
                bulk.add_cells(connection, ROLLUPS[name], counted)

    def receive(self, at: str) -> None:
        """A batch that arrived at this moment."""
        name = uuid.uuid4()
        values = {
            "dev": str(name),
            "sha256": name.hex * 2,
            "signature": "",
            "content": b"",
            "received_at": at,
        }
        with self.database.write() as connection:
            connection.execute(batch.insert().values(values))


@pytest.fixture
def territory(database: Database) -> Territory:
    with database.write() as connection:
        load_territory(connection)
        return Territory.read(connection)


@pytest.fixture
def register(database: Database, territory: Territory) -> Register:
    return Register(database, territory)


@pytest.fixture
def ask(database: Database, register: Register, clock: TestClock, tmp_path: Path) -> Ask:
    """`ask(path, role, commune=…, kind=…, demo=…)`: what an officer of that role gets from a node of that kind."""
    bearers: dict[tuple[str | None, ...], dict[str, str]] = {}

    def answer(
        path: str, role: str = "planner", *, commune: str | None = None, kind: str = "province", **more: Any
    ) -> Any:
        home = None if kind == "province" else KINTAMBO
        client = InProcess(application(kind=kind, commune=home, demo=more.pop("demo", False)))
        who = (role, commune, kind)
        bearer = bearers.get(who) or bearers.setdefault(who, log_in(client, *who))
        return client.get(f"/v1/statistics/{path}", headers={**bearer, **more.pop("headers", {})}, **more)

    def log_in(client: InProcess, role: str, commune: str | None, kind: str) -> dict[str, str]:
        username = f"officer-{len(bearers)}"
        with database.write() as connection:
            officers.add_officer(
                connection,
                username=username,
                name="Quelqu'un",
                role=role,
                commune=commune,
                password=PASSWORD,
                at=clock.now(),
                whole_province=kind == "province",
            )
        opened = client.post("/v1/sessions", json={"username": username, "password": PASSWORD})
        return {"Authorization": f"Bearer {opened.json()['token']}"}

    def application(*, kind: str, commune: str | None, demo: bool) -> FastAPI:
        with database.write() as connection:
            connection.execute(sa.delete(node))
            values = {"one": 1, "dev": str(uuid.uuid4()), "ep": 1, "feed": str(uuid.uuid4())}
            values |= {"kind": kind, "commune": commune, "demo": demo, "created_at": stamp(clock.now())}
            connection.execute(node.insert().values(values))
        made = FastAPI(responses=problems.RESPONSES)
        with database.read() as connection:
            made.state.standing = read_standing(connection)
        made.state.database, made.state.clock, made.state.territory = database, clock, register.territory
        made.state.settings = Settings(data=tmp_path)
        made.state.pace = Pace(0)
        made.state.kind, made.state.commune, made.state.secure = kind, commune, False
        made.state.login = Login(database, clock, hours=8, tries=5)
        made.include_router(access_router)
        made.include_router(router)
        problems.install(made)
        return made

    return answer


def rows(answer: Any) -> list[dict[str, Any]]:
    """The rows of a good answer."""
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found
