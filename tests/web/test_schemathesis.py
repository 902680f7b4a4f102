"""Schemathesis calls the whole API and finds no crash and no answer the description does not promise."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.web import problems
from sync.bundle import Record, write_bundle
from tests.access.call import DEVICE, PROOF, PUBLIC, QUARTIER, ROLES
from tests.access.matrix import CALLS
from tests.access.test_matrix import device_headers
from tests.conftest import FULL, Engines
from tests.lasting import ENGINES
from tests.nodes import household_of
from tests.web.desk import JSON_WRITES, Desk, open_desk
from tests.web.fuzzing import SEED, Headers, Operation, Planted, Report, fuzz, operations_of

# Calls of each operation at most: fewer where each takes longer.
CALLS_EACH = {"sqlite": 200, "postgresql": 60} if FULL else {"sqlite": 5, "postgresql": 2}

# Who asks, when several may.
FIRST = ("registrar", "clerk", "admin", "supervisor", "planner", "agent")
# What ends the very session that asks: it is opened again.
ENDING = {
    "DELETE /v1/sessions/current", "DELETE /v1/sessions/{session_id}", "POST /v1/officers/me/password",
    "POST /v1/officers/me/factor", "DELETE /v1/officers/me/factor", "POST /v1/officers/me/factor/confirmation",
}  # fmt: skip

TAGGED = ("/v1/persons/{id}", "/v1/households/{id}", "/v1/conflicts/{id}")
HEADINGS = ("Bureau", "Année", "Volume", "N° acte", "Date de l'acte", "Nom", "Sexe")
LINE = ("CD-KN-017-01", 2011, "7", 1, "01/02/2011", "Ilunga", "M")
PAPER_ACT = (
    b'{"nom":"Ilunga","sex":"M","birth_date":"2011-01-05","office":"CD-KN-017-01","year":2011,"volume":"9",'
    b'"number":1,"registered_on":"2011-02-01"}\n'
)


class Promised(BaseModel):
    """What a route says it answers."""

    number: int


def workbook() -> bytes:
    """A sheet of one act."""
    with io.BytesIO() as made:
        with xlsxwriter.Workbook(made) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, HEADINGS)
            sheet.write_row(1, 0, LINE)
        return made.getvalue()


class Callers:
    """Who calls each operation, and what stands on the node for it to be called about."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.rights = {f"{call.method} {call.route}": call.right for call in CALLS}
        self.bodies = {write.name: write.body for write in JSON_WRITES}
        self.tablet, spare = desk.node.tablet(QUARTIER), desk.node.tablet(QUARTIER)
        desk.node.push(
            spare, b"{", {"kind": "household", "id": desk.ids["households"], "set": {"tenure": "?"}}
        )
        listed = desk.get("/v1/quarantine", "supervisor").json()["items"]
        desk.ids |= {"dev": spare.dev, "quarantine": str(listed[0]["id"])}
        self.device = device_headers(desk.node, self.tablet)
        self.sealed = self.tablet.seal(household_of(2))
        bundle = write_bundle([Record("batch", *spare.seal(household_of(1)), None)])
        self.files = {
            "POST /sync/v1/batches": self.sealed[0], "POST /sync/v1/bundles": bundle,
            "POST /v1/imports/acts": PAPER_ACT, "POST /v1/imports": workbook(),
        }  # fmt: skip

    def role_of(self, label: str) -> str | None:
        """The first role that may; "device" for a tablet's session, None for nobody in particular."""
        right = self.rights[label]
        if right in (PUBLIC, PROOF):
            return None
        if right == DEVICE:
            return "device"
        return next(role for role in FIRST if ROLES[role] & set(right.split("|")))

    def headers_of(self, label: str) -> Callable[[], Headers]:
        """What gives the headers of each call of this operation."""
        role = self.role_of(label)
        if role == "device":
            return lambda: self.device
        if label in ENDING and role is not None:
            return lambda: self.desk.node.officer(role)
        said = self.desk.headers[role]
        return lambda: said

    def planted(self, operation: Operation) -> Planted:
        """The ids of what exists, by the names of this operation's parameters, and a body it accepts."""
        kind = operation.path.removeprefix("/v1/").partition("/")[0]
        ids, desk = self.desk.ids, self.desk
        known: dict[str, Any] = {
            **ids, "id": ids.get(kind, ""), "commune": "CD-KN-017", "quartier": QUARTIER, "area": QUARTIER,
            "office": "CD-KN-017-01", "book": ids["register_id"], "year": "2026", "month": "2026-01",
            "purpose": "essai", "device-grant": self.tablet.grant, "batch-signature": self.sealed[1], "ep": "7",
        }  # fmt: skip
        if operation.path.startswith("/v1/offices"):
            known["code"] = "CD-KN-017-01"
        if operation.path == "/verify":
            known["code"] = desk.get(desk.path("/v1/documents/{document_id}"), "registrar").json()[
                "signed_code"
            ]
        if operation.path.startswith(TAGGED):
            about = desk.path(re.sub(r"(\{id\}).*", r"\1", operation.path))
            known["if-match"] = lambda: desk.get(about, "registrar").headers.get("etag", "")
        return Planted(known, self.files.get(operation.label) or self.bodies.get(operation.label, {}))


@pytest.fixture(scope="module")
def described() -> list[Operation]:
    """Kept from one engine to the next: reading the whole description takes seconds, and it is the same."""
    return []


@pytest.fixture(scope="module", params=ENGINES)
def run(
    request: pytest.FixtureRequest,
    engines: Engines,
    tmp_path_factory: pytest.TempPathFactory,
    *,
    described: list[Operation],
) -> Iterator[tuple[str, list[str], Report]]:
    """(engine, the operations described, what came of calling them all)."""
    engine, report = request.param, Report()
    with open_desk(engines, engine, tmp_path_factory.mktemp("schemathesis")) as desk:
        application, callers = desk.node.app, Callers(desk)
        described.extend([] if described else operations_of(application))
        for each in described:
            fuzz(
                application, each, count=CALLS_EACH[engine], report=report,
                headers=callers.headers_of(each.label), planted=callers.planted(each),
            )  # fmt: skip
        yield engine, [each.label for each in described], report


def test_no_call_crashes_the_server_or_is_answered_as_nowhere_described(
    run: tuple[str, list[str], Report],
) -> None:
    _engine, _operations, report = run
    assert report.faults == {}


def test_every_operation_was_called_and_most_were_also_done(run: tuple[str, list[str], Report]) -> None:
    engine, operations, report = run
    print(f"{engine}: seed {SEED}, {len(operations)} operations, {report.cases} calls")
    assert set(operations) == set(report.calls)
    assert len(operations) > 120
    assert report.cases > 0.8 * CALLS_EACH[engine] * len(operations)
    done = {label for label, status in report.answers if status < 300}
    # Of two calls one is damaged on purpose: fewer operations are done than of five.
    assert len(done) > (0.5 if CALLS_EACH[engine] > 2 else 0.35) * len(operations)


def broken() -> FastAPI:
    """Four routes, of which one is right."""
    made = FastAPI(responses=problems.RESPONSES)
    problems.install(made)

    @made.get("/right/{number}")
    def right(number: int) -> dict[str, int]:
        return {"number": number}

    @made.get("/crash/{number}")
    def crash(number: int) -> dict[str, float]:
        return {"share": 1 / (number - number)}

    @made.post("/undescribed")
    def undescribed() -> Response:
        return JSONResponse({"id": 1}, 202)

    @made.get("/promised", response_model=Promised)
    def promised() -> Response:
        return JSONResponse({"number": "douze"})

    @made.get("/typeless", response_class=Response)
    def typeless() -> Response:
        return Response(b"1;2", media_type="text/csv")

    return made


def test_a_crash_and_an_answer_of_no_described_kind_are_found() -> None:
    application, report = broken(), Report()
    for each in operations_of(application):
        fuzz(application, each, count=10, report=report)
    assert {fault.partition(": ")[0] for fault in report.faults} == {
        "GET /crash/{number}", "POST /undescribed", "GET /promised", "GET /typeless",
    }  # fmt: skip
    assert any(fault.startswith("GET /crash/{number}: 500 ") for fault in report.faults)
    assert any(fault.startswith("POST /undescribed: 202 ") for fault in report.faults)


def test_the_same_seed_makes_the_same_calls() -> None:
    first, second = Report(), Report()
    for report in (first, second):
        application = broken()
        for each in operations_of(application):
            fuzz(application, each, count=10, report=report)
    assert first == second
