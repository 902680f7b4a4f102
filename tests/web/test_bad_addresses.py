"""Addresses, queries, cursors and headers nobody should send: a problem in French, or nothing found."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.access.guards import classification
from tests.conftest import Engines
from tests.lasting import ENGINES
from tests.web.bad import ADDRESSED, NO_IDS, UUID4, refused, share, text_of, told_or_done
from tests.web.desk import JSON_WRITES, Desk, Write, open_desk

# Who may read what: any officer who may, so that it is the value that is refused.
READERS = {
    "/v1/officers": "admin", "/v1/status": "admin", "/v1/devices": "supervisor", "/v1/quarantine": "supervisor",
    "/v1/communes": "agent",
}  # fmt: skip
KEYED = [write for write in JSON_WRITES if write.name in (
    "POST /v1/births", "POST /v1/persons", "POST /v1/households", "POST /v1/births/{birth_id}/registration",
)]  # fmt: skip
PATCHES = [write for write in JSON_WRITES if write.method == "PATCH" and "officer" not in write.route]


@pytest.fixture(scope="module", params=ENGINES)
def desk(
    request: pytest.FixtureRequest, engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    with open_desk(engines, request.param, tmp_path_factory.mktemp("addresses")) as made:
        yield made


def reader(route: str) -> str:
    return next((role for start, role in READERS.items() if route.startswith(start)), "registrar")


def queries(desk: Desk) -> list[tuple[str, str]]:
    """Every (route, query parameter) officers may ask with, as the API's description tells them."""
    paths: dict[str, Any] = desk.node.app.openapi()["paths"]
    return [
        (route, parameter["name"])
        for route, calls in paths.items()
        if "get" in calls and route.startswith("/v1/")
        for parameter in calls["get"].get("parameters", [])
        if parameter["in"] == "query"
    ]


def test_no_value_of_a_query_breaks_the_server(desk: Desk) -> None:
    asked = queries(desk)
    assert len(asked) > 30
    with desk.neighbours():
        for at, (route, name) in enumerate(asked):
            path, role = desk.path(route), reader(route)
            for text in share(ADDRESSED, at):
                code = told_or_done(desk.get(f"{path}?{name}={text}", role))
                assert code not in {"role_forbidden", "login_required"}, (route, role)
            told_or_done(desk.get(f"{path}?{name}=1&{name}=2&{name}", role))
            told_or_done(desk.get(f"{path}?{'&'.join(f'{name}={i}' for i in range(3000))}", role))


@pytest.mark.parametrize(("asked", "code"), [
    ("/v1/persons?birth_year=1849", "invalid_input"), ("/v1/persons?birth_year=MCMLXX", "invalid_input"),
    ("/v1/persons?sex=X", "invalid_input"), ("/v1/persons?commune=CD-KN-099", "invalid_input"),
    ("/v1/persons?quartier=9999999", "invalid_input"), ("/v1/persons?limit=0", "invalid_input"),
    ("/v1/persons?limit=100000", "invalid_input"), ("/v1/persons?q=%00", "invalid_input"),
    ("/v1/persons?q=" + "x" * 201, "invalid_input"), ("/v1/births?year=99999999999999999999", "invalid_input"),
    ("/v1/births?delay=late", "invalid_input"), ("/v1/births?commune=CD-KN-099", "commune_unknown"),
    ("/v1/tasks?stage=later", "invalid_input"), ("/v1/statistics/births?by=planet", "dimension_unknown"),
    ("/v1/statistics/births?from=2017&to=2011", "years_reversed"), ("/v1/statistics/census?year=1", "invalid_input"),
    ("/v1/statistics/population?by=nationality_group,quartier", "combination_refused"),
    ("/v1/statistics/births?format=xls", "invalid_input"), ("/v1/communes/CD-KN-099/quartiers", "commune_unknown"),
    ("/v1/conflicts?limit=501", "invalid_input"), ("/sync/v1/receipts?ep=-1", "session_required"),
])  # fmt: skip
def test_a_query_that_cannot_be_answered_is_refused(desk: Desk, asked: str, code: str) -> None:
    assert refused(desk.get(asked, "registrar")) == code


CURSORS = [
    b"", b"[]", b"{}", b"null", b"7",
    b"[1]", b'["a"]', b'[1,"a"]', b"[null]", b"[true]", b"[1.5]", b"[NaN]", b"[1e400]",
    b"[" * 1200 + b"]" * 200, b'["\\u0000"]', b'["\\ud800"]', b"[-1]", b"[9223372036854775807]",
    b"[99999999999999999999]", b"[9" + b"9" * 1300 + b"]", b'[2147483648,1,"' + UUID4.encode() + b'"]',
    b'[9223372036854775807,"' + UUID4.encode() + b'"]', b'[-9223372036854775808,9223372036854775807,"x"]', b"\xff\xfe",
    b'["' + b"x" * 1400 + b'"]', b'[1,9223372036854775807,"' + UUID4.encode() + b'"]',
]  # fmt: skip


def test_a_cursor_somebody_made_up_is_refused_or_ends_the_list(desk: Desk) -> None:
    listed = [route for route, name in queries(desk) if name == "cursor"]
    assert len(listed) >= 7
    made_up = [base64.urlsafe_b64encode(raw).rstrip(b"=").decode() for raw in CURSORS]
    with desk.neighbours():
        for route in listed:
            for text in [*made_up, "!!!", "====", "%C3%A9", "AAAAA", "x" * 2001]:
                code = told_or_done(desk.get(f"{route}?cursor={text}", reader(route)))
                assert code in {"200", "bad_cursor"} or is_nobody(code), (route, text)


NOBODY = {
    *("not_found", "invalid_input", "conflict_not_found", "quarantined_not_found", "device_not_found"),
    *("session_required", "role_forbidden", "no_second_factor"),
}


def is_nobody(code: str) -> bool:
    """Whether a refusal says that there is no such thing, or not for this officer."""
    return code in NOBODY or code.endswith("_unknown")


def test_an_id_that_is_none_finds_nobody(desk: Desk) -> None:
    routes = [key for key in classification(desk.node.app) if "{" in key[1]]
    assert len(routes) >= 9
    bodies = {(write.method, write.route): write for write in JSON_WRITES}
    with desk.neighbours():
        for method, route in routes:
            write = bodies.get((method, route))
            headers = desk.headers[write.role if write else reader(route)] | {"If-Match": '"x"'}
            body = {"json": dict(write.body)} if write else {}
            for text in NO_IDS:
                # Two ids of 50,000 letters are more than the client itself sends.
                path = re.sub(r"\{[^}]*\}", text[: 50_000 // route.count("{")], route)
                answer = desk.node.client.request(method, path, headers=headers, **body)
                assert is_nobody(refused(answer)), path


def test_an_address_nobody_serves_is_a_problem_too(desk: Desk) -> None:
    for text in ("/", "/v2", "/v1", "/v1//persons", "/.env", "/v1/%2e%2e/etc", "/v1/%00", "/" + "x" * 50_000):
        assert refused(desk.get(text, "clerk")) in {"not_found", "invalid_input"}, text
    for method in ("PUT", "DELETE", "TRACE", "BREW"):
        answer = desk.node.client.request(method, "/v1/persons", headers=desk.headers["clerk"])
        assert refused(answer) == "method_not_allowed"


@pytest.mark.parametrize("write", PATCHES, ids=lambda write: write.name)
def test_an_if_match_that_is_no_etag_changes_nothing(desk: Desk, write: Write) -> None:
    path = desk.path(write.route)
    tags: list[str | bytes] = [
        "", "*", "x", '"x"', 'W/"x"', '"', '""', ", , ,", '"a", "b"', b'"\xff\xfe"',
        '"' + "x" * 10_000 + '"', "null", " ",
    ]  # fmt: skip
    with desk.neighbours():
        before = desk.records()
        for tag in tags:
            headers: dict[str, str | bytes] = {**desk.headers["clerk"], "If-Match": tag}
            answer = desk.node.client.patch(path, json=dict(write.body), headers=headers)
            assert refused(answer) in {"precondition_required", "precondition_failed", "invalid_input"}, tag
        without = desk.node.client.patch(path, json=dict(write.body), headers=desk.headers["clerk"])
        assert refused(without) == "precondition_required"
        assert desk.records() == before


@pytest.mark.parametrize("write", KEYED, ids=lambda write: write.name)
def test_an_idempotency_key_that_is_none_writes_nothing(desk: Desk, write: Write) -> None:
    desk.declare()
    path = desk.path(write.route)
    keys: list[str | bytes] = [
        "x" * 10_000,
        "x" * 101,
        "court",
        "",
        " " * 20,
        "avec un blanc",
        b"cl\xc3\xa9 de huit",
        b"\xff" * 9,
    ]
    with desk.neighbours():
        before = desk.records()
        for key in keys:
            headers: dict[str, str | bytes] = {**desk.headers[write.role], "Idempotency-Key": key}
            answer = desk.node.client.post(path, json=dict(write.body), headers=headers)
            assert refused(answer) == "idempotency_key_invalid", key
        assert desk.records() == before
    said = {**desk.headers[write.role], "Idempotency-Key": f"cle-{UUID4}"}
    first = desk.node.client.post(path, json=dict(write.body), headers=said)
    assert first.status_code == 201, first.text
    other = desk.node.client.post(path, content=text_of({**write.body, "folio": "9", "nom": "Autre"}), headers=said | {
        "Content-Type": "application/json",
    })  # fmt: skip
    assert refused(other) in {"idempotency_conflict", "invalid_input"}


def test_a_token_that_is_none_opens_nothing(desk: Desk) -> None:
    tokens: list[str | bytes] = [
        "Bearer", "Bearer ", "Bearer x", "bearer \xe9", b"Bearer \xff\xfe", "Basic eDp5", "x", "",
        "Bearer " + "x" * 10_000, "Bearer a b", "Bearer null", "Bearer ' OR 1=1 --",
    ]  # fmt: skip
    for token in tokens:
        value = token if isinstance(token, bytes) else token.encode("latin-1")
        for path, code in (("/v1/persons", "login_required"), ("/sync/v1/status", "session_required")):
            answer = desk.node.client.get(path, headers={b"Authorization": value})
            assert refused(answer) == code, token
