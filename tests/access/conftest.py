"""A node's application with the routes of access only, and officers who may log in to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.access import officers
from app.access.endpoints import router
from app.access.officers import OfficerRow
from app.access.pace import Pace
from app.access.sessions import Login
from app.database import Database
from app.settings import Settings
from app.territory.load import load_territory
from app.web import problems
from app.web.bodies import BoundedBodies
from tests.conftest import TestClock
from tests.web.client import InProcess

PASSWORD = "trois manguiers au marché"
AddOfficer = Callable[..., OfficerRow]


@pytest.fixture
def application(database: Database, clock: TestClock, tmp_path: Path) -> FastAPI:
    with database.write() as connection:
        load_territory(connection)
    made = FastAPI(responses=problems.RESPONSES)
    made.state.database = database
    made.state.clock = clock
    made.state.kind = "commune"
    made.state.settings = Settings(data=tmp_path)
    made.state.commune = "CD-KN-017"
    made.state.secure = False
    made.state.login = Login(database, clock, hours=8, tries=5)
    made.state.pace = Pace(0)
    made.include_router(router)
    made.add_middleware(BoundedBodies)
    problems.install(made)
    return made


@pytest.fixture
def client(application: FastAPI) -> InProcess:
    """A clerk's program on the server's own machine."""
    return InProcess(application)


@pytest.fixture
def add(database: Database, clock: TestClock) -> AddOfficer:
    def add_officer(username: str, role: str, *, commune: str | None = "CD-KN-017") -> OfficerRow:
        with database.write() as connection:
            return officers.add_officer(
                connection,
                username=username,
                name=username.title(),
                role=role,
                commune=commune,
                password=PASSWORD,
                at=clock.now(),
                whole_province=commune is None,
            )

    return add_officer


def log_in(client: InProcess, username: str, **members: str) -> dict[str, str]:
    """The header that proves the officer from now on."""
    answer = client.post("/v1/sessions", json={"username": username, "password": PASSWORD, **members})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}
