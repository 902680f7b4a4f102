"""Every role at every route, at home, in another commune and at the province: the answers are those the description of
the roles promises, and the checker that says so finds a route that forgot its guard."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Annotated

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials

from app.access import officers
from app.access.guards import BEARER, OfficerGuard, classification
from app.access.headers import Purpose
from app.access.officers import Officer
from app.access.paging import encode_cursor
from app.access.permissions import Permission
from app.civil.registration import Entry, register
from app.ledger import tables
from sync.seal import Key, make_node_cert, sign_compact
from tests.access.call import DEVICE, LOGIN, OTHER, OWN, PROOF, PUBLIC, QUARTIER, ROLES, Call
from tests.access.matrix import CALLS
from tests.conftest import Engines, TestClock
from tests.lasting import ENGINES, lasting_database
from tests.nodes import PASSWORD, Tablet, TestNode, household_of, make_node
from tests.topics import topics
from tests.web.client import InProcess

KINDS = ("commune", "both", "province")
PROVINCIAL = ("registrar", "supervisor", "planner")
NUMBERS = count(1)


@dataclass(frozen=True)
class Seat:
    """Somebody who asks: an officer's role and home (None = the whole province), "device", or None = nobody."""

    role: str | None
    home: str | None
    headers: Mapping[str, str]


@dataclass
class Place:
    """A node with a family, a birth, its act, a task, a conflict and a line set aside, all of Kintambo."""

    node: TestNode
    kind: str
    seats: list[Seat]
    ids: dict[str, str]

    def seat(self, role: str | None, home: str | None = OWN) -> Seat:
        """The one seat of this role and home."""
        return next(each for each in self.seats if (each.role, each.home) == (role, home))


def add_officer(node: TestNode, username: str, *, role: str, home: str | None) -> str:
    with node.database.write() as connection:
        return officers.add_officer(
            connection, username=username, name=username.title(), role=role, commune=home, password=PASSWORD,
            at=node.node.clock.now(), whole_province=home is None,
        ).id  # fmt: skip


def join_a_province(node: TestNode) -> None:
    """A commune enrols tablets only with the province's certificate."""
    province, own = Key.generate(), node.door.identity
    certificate = make_node_cert(
        province, province_node=str(uuid.uuid4()), node=own.dev, kind="commune", key=own.key.public.jwk(),
        areas=[OWN],
    )  # fmt: skip
    joined = {"province": province.public.thumbprint(), "node_cert": certificate}
    with node.database.write() as connection:
        connection.execute(tables.node.update().values(joined))
    node.door.refresh()


def own_tablet(node: TestNode, agent: str, admin: Seat) -> Tablet:
    """A tablet of this agent (by user name), invited by the admin and enrolled as a tablet does it."""
    asked = {"agent": agent, "areas": [QUARTIER]}
    invited = node.client.post("/v1/invitations", json=asked, headers=dict(admin.headers))
    assert invited.status_code == 201, invited.text
    code, key = invited.json()["code"], Key.generate()
    claims = {"code": code, "node": node.door.identity.dev}
    proof = sign_compact(key, claims, kid=key.public.thumbprint(), typ="enrol")
    told = {"code": code, "public_key": key.public.jwk(), "name": "Tablette", "proof": proof}
    enrolled = node.client.post("/sync/v1/enrolments", json=told)
    assert enrolled.status_code == 201, enrolled.text
    return Tablet(enrolled.json()["dev"], key, enrolled.json()["grant"], enrolled.json()["agent"])


def device_headers(node: TestNode, tablet: Tablet) -> dict[str, str]:
    hello = node.client.get("/sync/v1/hello").json()
    claims = {"dev": tablet.dev, "aud": hello["node"], "nonce": hello["nonce"]}
    assertion = sign_compact(tablet.key, claims, kid=tablet.dev, typ="session")
    answer = node.client.post("/sync/v1/sessions", json={"assertion": assertion})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def seats_of(node: TestNode, kind: str) -> list[Seat]:
    """Every role of Kintambo and of Kimbanseke, those of the province where there is one, and nobody."""
    seats: list[Seat] = []
    for role in ROLES:
        homes: list[str | None] = [None] if role == "admin" else [OWN, OTHER]
        if kind != "commune" and role in PROVINCIAL:
            homes.append(None)
        for home in homes:
            name = f"{role}{len(seats) + 1}"
            identity = add_officer(node, name, role=role, home=home)
            seats.append(Seat(role, home, node.log_in(identity, name, role=role)))
    return [*seats, Seat(None, None, {})]


def plant(node: TestNode, tablet: Tablet, clerk: Seat) -> dict[str, str]:
    """Something of every kind to be seen, all of it Kintambo's; gives the ids by name."""
    family = household_of(2, quartier=QUARTIER)
    home, person = family[0]["id"], family[1]["id"]
    one, two = ({"kind": "person", "id": person, "set": {"nom": name}} for name in ("Mbuya", "Mboyi"))
    strange = {"kind": "household", "id": home, "set": {"tenure": "?"}}
    early = {"kind": "household", "id": home, "set": {"card": "1"}, "par": {"card": [f"{home}:1:1"]}}
    receipt = node.push(tablet, *family, one, two, b"{", strange, early)
    assert receipt["dispositions"][str(len(family) + 3)]["status"] == "quarantined"
    child = {
        "nom": "Mbuyi",
        "sex": "F",
        "birth_date": "2026-01-10",
        "mode": "direct",
        "mother_name": "Kapinga",
    }
    declared = node.client.post("/v1/births", json=child, headers=dict(clerk.headers))
    assert declared.status_code == 201, declared.text
    birth = declared.json()["id"]
    # The act as the commune's registrar draws it up: at the province nobody may, it comes by the relay.
    registrar = Officer(str(uuid.uuid4()), "officier", "Officier", "registrar", OWN)
    with node.database.write() as connection:
        entry = Entry("CD-KN-017-01", "1", None, None)
        today = node.node.clock.today()
        act = register(connection, node.door, registrar, birth=birth, entry=entry, today=today)
    assert act.child.task is not None
    spare = add_officer(node, "reserve", role="agent", home=OWN)
    with node.database.read() as connection:
        aside = connection.execute(sa.select(tables.quarantine.c.id)).scalar_one()
    listed = {"conflict": encode_cursor("person", person, "nom"), "quarantined": f"{aside:03}"}
    ids = listed | {
        "household": home,
        "person": person,
        "birth": birth,
        "act": act.id,
        "task": act.child.task,
        "spare": spare,
    }
    for topic in topics("tests.access", "calls"):
        ids |= topic.plant(node, ids)
    return ids


@pytest.fixture(scope="module", params=[(kind, engine) for kind in KINDS for engine in ENGINES], ids="-".join)
def place(
    request: pytest.FixtureRequest, engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    kind, engine = request.param
    directory = tmp_path_factory.mktemp("matrix")
    clock = TestClock(datetime(2026, 2, 2, 9, tzinfo=UTC))
    with lasting_database(engines, engine, directory) as database:
        node = make_node(database, directory, kind=kind, commune=OWN, clock=clock)
        if kind == "commune":
            join_a_province(node)
        made = Place(node, kind, seats_of(node, kind), {})
        tablet = own_tablet(node, "agent1", made.seat("admin", None))
        made.seats.append(Seat("device", OWN, device_headers(node, tablet)))
        made.ids = plant(node, tablet, made.seat("clerk"))
        yield made


def ask(client: InProcess, call: Call, place: Place, seat: Seat) -> httpx.Response:
    number = next(NUMBERS)
    body = call.body(place.ids, number) if callable(call.body) else call.body
    content = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
    headers = {**seat.headers, **{name: value.format(n=number) for name, value in call.headers.items()}}
    return client.request(call.method, call.address(place.ids), headers=headers, **content)


def outcome(answer: httpx.Response) -> str:
    """Status and code; "nothing" for a list without a line."""
    json = answer.headers.get("content-type", "").endswith(("/json", "+json"))
    told = answer.json() if json and answer.content else {}
    if answer.is_error:
        return f"{answer.status_code} {told['code']}"
    lists = [told] if isinstance(told, list) else [told.get(name) for name in ("items", "rows")]
    listed = next((each for each in lists if isinstance(each, list)), None)
    return f"{answer.status_code} nothing" if listed == [] else f"{answer.status_code}"


def differences(client: InProcess, place: Place, calls: Iterable[Call], seats: Iterable[Seat]) -> list[str]:
    """Every answer that is not the one promised, and every answer that names a family of another commune."""
    asked = list(calls)
    found = []
    for seat in seats:
        for call in asked:
            answer = ask(client, call, place, seat)
            wanted, got = call.expected(seat.role, seat.home, kind=place.kind), outcome(answer)
            who = f"{seat.role or 'nobody'} of {seat.home or 'no commune'}: {call.name}"
            if got != wanted:
                found.append(f"{who} answered {got}, not {wanted}")
            if wanted != call.good and any(known in answer.text for known in place.ids.values()):
                found.append(f"{who} names somebody he may not see")
    return found


def test_every_route_has_its_line_in_the_matrix_and_no_line_is_without_a_route(place: Place) -> None:
    assert {(call.method, call.route) for call in CALLS} == set(classification(place.node.app))


def test_every_role_gets_at_every_route_what_its_description_says(place: Place) -> None:
    found = differences(place.node.client, place, CALLS[:-1], place.seats)
    assert not found, "\n".join(found)


# -- planted faults -----------------------------------------------------------------------------------------------


def guarded(app: FastAPI, call: Call) -> Dependant:
    """Where the guard of this call's route hangs."""

    def guards(dependant: Dependant) -> Iterator[Dependant]:
        if isinstance(dependant.call, OfficerGuard):
            yield dependant
        for inner in dependant.dependencies:
            yield from guards(inner)

    for route in iter_route_contexts(app.routes):
        if route.path == call.route and call.method in (route.methods or ()):
            return next(guards(route.dependant))
    raise LookupError(call.name)


class Blind(OfficerGuard):
    """Takes every officer for one of Kintambo, as if the route did not ask for his commune."""

    def __call__(
        self,
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
        *,
        purpose: Purpose = None,
    ) -> Officer:
        return replace(super().__call__(request, bearer, purpose=purpose), commune=OWN)


class Absent(OfficerGuard):
    """Asks nobody to log in."""

    def __call__(
        self,
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
        *,
        purpose: Purpose = None,
    ) -> Officer:
        return Officer(str(uuid.uuid4()), "personne", "Personne", "registrar", OWN)


@contextmanager
def planted(
    place: Place, call: Call, guard: Callable[[frozenset[Permission]], OfficerGuard]
) -> Iterator[InProcess]:
    """The node's application, where one route has another guard for a while, made from the right one's permissions."""
    hung = guarded(place.node.app, call)
    right = hung.call
    assert isinstance(right, OfficerGuard)
    hung.call = guard(right.permissions)
    try:
        yield place.node.client
    finally:
        hung.call = right


EVERYTHING = frozenset(Permission)
OFFICERS = [call for call in CALLS[:-1] if call.right not in (PUBLIC, PROOF, DEVICE, "territory")]
LOCAL = [call for call in CALLS if call.elsewhere is not None]
both = pytest.mark.parametrize("place", [("both", engine) for engine in ENGINES], ids="-".join, indirect=True)


@both
def test_a_route_that_forgot_which_roles_it_is_for_is_found(place: Place) -> None:
    seats = [place.seat("agent"), place.seat("admin", None)]
    for call in (each for each in OFFICERS if each.right != "own session"):
        with planted(place, call, lambda _right: OfficerGuard(EVERYTHING)) as client:
            assert differences(client, place, [call], seats), call.name


@both
def test_a_route_that_asks_nobody_to_log_in_is_found(place: Place) -> None:
    for call in OFFICERS:
        with planted(place, call, Absent) as client:
            assert differences(client, place, [call], [place.seat(None, None)]), call.name


@both
def test_a_route_that_forgot_to_ask_for_the_commune_is_found(place: Place) -> None:
    strangers = [each for each in place.seats if each.home == OTHER]
    for call in LOCAL:
        with planted(place, call, Blind) as client:
            assert differences(client, place, [call], strangers), call.name


# -- the end of the day -----------------------------------------------------------------------------------------------


def test_everybody_who_logged_in_may_log_out_and_nobody_else(place: Place) -> None:
    goodbye = CALLS[-1]
    for seat in place.seats:
        answer = ask(place.node.client, goodbye, place, seat)
        assert outcome(answer) == goodbye.expected(seat.role, seat.home, kind=place.kind), seat
        again = place.node.client.get("/v1/communes", headers=dict(seat.headers))
        assert outcome(again) == LOGIN
