"""What each role may do, word by word as the roles were described, and that no route goes unclassified."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI

from app.access.endpoints import router
from app.access.guards import Unclassified, allow, classification, device, public
from app.access.officers import Officer
from app.access.permissions import ROLE_PERMISSIONS, Permission, permissions_of
from app.access.tables import ROLES

PERSONS = {Permission.READ_PERSONS, Permission.WRITE_PERSONS, Permission.READ_CIVIL, Permission.DECLARE}
FIGURES = {Permission.STATISTICS, Permission.TRUE_STATISTICS, Permission.PROGRESS}


def officer(role: str, commune: str | None = "CD-KN-017") -> Officer:
    return Officer("1", role, role, role, commune)


def test_every_role_is_defined_and_no_other() -> None:
    assert set(ROLE_PERMISSIONS) == set(ROLES)


def test_a_registrar_is_a_clerk_who_registers() -> None:
    more = ROLE_PERMISSIONS["registrar"] - ROLE_PERMISSIONS["clerk"]
    assert more == {
        *(Permission.REGISTER, Permission.VOLUMES, Permission.REPRISE),
        *(Permission.ANNOTATE, Permission.READERS),
    }
    assert ROLE_PERMISSIONS["clerk"] < ROLE_PERMISSIONS["registrar"]


@pytest.mark.parametrize("role", ["agent", "planner", "admin"])
@pytest.mark.parametrize("commune", ["CD-KN-017", None])
@pytest.mark.parametrize("kind", ["commune", "province", "both"])
def test_agents_planners_and_admins_never_see_a_person(role: str, commune: str | None, kind: str) -> None:
    held = permissions_of(officer(role, commune), kind)
    assert not held & PERSONS
    assert not held & {Permission.READ_CONFLICTS, Permission.READ_QUARANTINE}
    assert held & FIGURES == ({Permission.STATISTICS} if role == "planner" else set())


def test_a_supervisor_reads_persons_at_the_province_only() -> None:
    assert not permissions_of(officer("supervisor"), "commune") & PERSONS
    assert not permissions_of(officer("supervisor", None), "commune") & PERSONS
    assert not permissions_of(officer("supervisor"), "province") & PERSONS
    assert permissions_of(officer("supervisor", None), "province") & PERSONS == {Permission.READ_PERSONS}


def test_the_provinces_registrar_reads_and_does_not_write() -> None:
    held = permissions_of(officer("registrar", None), "province")
    assert {Permission.READ_PERSONS, Permission.READ_CIVIL, Permission.TRUE_STATISTICS} <= held
    assert not held & {Permission.WRITE_PERSONS, Permission.DECLARE, Permission.REGISTER, Permission.REPRISE}


def test_everybody_may_end_his_own_session() -> None:
    assert all(Permission.OWN_SESSION in held for held in ROLE_PERMISSIONS.values())


def application(*, classified: bool) -> FastAPI:
    routes = APIRouter(prefix="/v1")

    @routes.get("/persons")
    def persons(_who: Annotated[Officer, Depends(allow(Permission.READ_PERSONS))]) -> None: ...

    @routes.post("/hello", dependencies=[Depends(public())])
    def hello() -> None: ...

    @routes.put("/batches", dependencies=[Depends(device())])
    def batches() -> None: ...

    @routes.get("/figures", dependencies=[Depends(allow(Permission.STATISTICS, Permission.PROGRESS))])
    def figures() -> None: ...

    made = FastAPI()
    made.include_router(routes)
    if not classified:
        made.get("/forgotten")(hello)
    return made


def test_the_classification_names_the_permission_of_every_route() -> None:
    found = classification(application(classified=True))
    assert found["GET", "/v1/persons"] == "read_persons"
    assert found["POST", "/v1/hello"] == "public"
    assert found["PUT", "/v1/batches"] == "device"
    assert found["GET", "/v1/figures"] == "progress|statistics"
    assert found["GET", "/openapi.json"] == "public"


def test_a_route_that_forgot_its_permission_is_found() -> None:
    with pytest.raises(Unclassified, match="/forgotten"):
        classification(application(classified=False))


def test_a_route_classified_by_its_router_counts_and_two_classes_do_not() -> None:
    routes = APIRouter()

    @routes.get("/communes")
    def communes() -> None: ...

    made = FastAPI()
    made.include_router(routes, dependencies=[Depends(allow(Permission.TERRITORY))])
    assert classification(made)["GET", "/communes"] == "territory"
    made.include_router(routes, prefix="/twice", dependencies=[Depends(public()), Depends(device())])
    with pytest.raises(Unclassified, match="/twice/communes"):
        classification(made)


def test_the_routes_of_access_are_classified() -> None:
    made = FastAPI(openapi_url=None)
    made.include_router(router)
    assert classification(made) == {
        ("POST", "/v1/sessions"): "public",
        ("DELETE", "/v1/sessions/current"): "own_session",
        ("GET", "/v1/sessions"): "own_session",
        ("DELETE", "/v1/sessions/{session_id}"): "own_session",
        ("POST", "/v1/officers/me/password"): "own_session",
        ("POST", "/v1/officers/me/factor"): "own_session",
        ("POST", "/v1/officers/me/factor/confirmation"): "own_session",
        ("DELETE", "/v1/officers/me/factor"): "own_session",
        ("DELETE", "/v1/officers/{officer_id}/factor"): "manage_officers",
        ("GET", "/v1/officers"): "manage_officers",
        ("POST", "/v1/officers"): "manage_officers",
        ("PATCH", "/v1/officers/{officer_id}"): "manage_officers",
    }
