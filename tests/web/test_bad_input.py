"""Whatever body is sent, the answer is a problem in French with a stable code, and what stood there before stands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.access.guards import classification
from tests.conftest import Engines
from tests.lasting import ENGINES
from tests.web.bad import BIG, BROKEN, SQL, STRANGE, UUID4, refused, share, text_of, told_or_done
from tests.web.desk import ACTS, JSON_WRITES, JUDGMENT, NO_BODY, OTHER_WRITES, Desk, Write, open_desk

NAMES = [write.name for write in JSON_WRITES]
each_write = pytest.mark.parametrize("write", JSON_WRITES, ids=NAMES)
NAMED = {write.name: write for write in JSON_WRITES}


@pytest.fixture(scope="module", params=ENGINES)
def desk(
    request: pytest.FixtureRequest, engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    with open_desk(engines, request.param, tmp_path_factory.mktemp("desk")) as made:
        yield made


def test_every_call_that_writes_is_tried_here(desk: Desk) -> None:
    found = {key for key in classification(desk.node.app) if key[0] != "GET"}
    assert found == {(write.method, write.route) for write in JSON_WRITES} | OTHER_WRITES | NO_BODY | ACTS


def test_an_accident_of_the_server_would_be_seen_here(desk: Desk) -> None:
    state, birth = desk.node.app.state, NAMED["POST /v1/births"]
    door, state.door = state.door, None
    try:
        with pytest.raises(AssertionError, match="internal"):
            told_or_done(desk.send(birth, text_of(birth.body)))
    finally:
        state.door = door


@each_write
def test_a_body_that_is_no_json_is_refused_everywhere(desk: Desk, write: Write) -> None:
    with desk.neighbours():
        found = {
            name: refused(desk.send(write, body, **said)) for name, (body, said, _code) in BROKEN.items()
        }
    assert found == {name: code for name, (_body, _headers, code) in BROKEN.items()}


@each_write
def test_a_value_of_another_type_in_any_field_never_breaks_the_server(desk: Desk, write: Write) -> None:
    with desk.neighbours():
        for at, field in enumerate(fields_of(desk, write)):
            for value in share(STRANGE, at):
                told_or_done(desk.send(write, text_of({**write.body, field: value})))
        told_or_done(desk.send(write, text_of({**write.body, "inconnu": 1})))
        told_or_done(desk.send(write, text_of({**write.body, **{f"champ{i}": i for i in range(5000)}})))


@each_write
def test_a_body_of_another_kind_is_refused(desk: Desk, write: Write) -> None:
    body = text_of(dict(write.body))
    for kind in (
        "text/plain",
        "application/xml",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "x",
        "",
    ):
        assert refused(desk.send(write, body, **{"Content-Type": kind})) == "invalid_input", kind
    untold = desk.node.client.request(write.method, desk.path(write.route), headers=desk.headers[write.role])
    assert refused(untold) == "invalid_input"


def fields_of(desk: Desk, write: Write) -> list[str]:
    """The names a body of this call may hold, as the API's description tells them."""
    document = desk.node.app.openapi()
    operation = document["paths"][write.route][write.method.lower()]
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return sorted(document["components"]["schemas"][reference.rpartition("/")[2]]["properties"])


# -- what cannot be -----------------------------------------------------------------------------------------------

NO_DATES = (
    "2026-02-30", "2026-13", "2026-00-10", "0000", "1849", "1849-12-31", "20260102", "2026-2-3", "2026-01-02T00:00:00Z",
    "２０２６", "hier", "-2026", "2026-01-02 ", "10000-01-01",
)  # fmt: skip
CANNOT_BE: list[tuple[str, dict[str, Any], str]] = [
    *(("POST /v1/persons", {"birth_date": day}, "birth_date") for day in (*NO_DATES, "2026-02-03", "2027")),
    *(("PATCH /v1/persons/{id}", {"birth_date": day}, "birth_date") for day in (*NO_DATES, "2026-02-03")),
    *(("POST /v1/births", {"birth_date": day}, "birth_date") for day in (*NO_DATES, "2026-02-03", "2030-01")),
    *(("POST /v1/births", {"declared_on": day}, "declared_on") for day in (*NO_DATES, "2026-02-03", "2026", "2026-01")),
    *(("POST /v1/births", {"mother_birth_date": day}, "mother_birth_date") for day in NO_DATES),
    *(
        ("PATCH /v1/births/{birth_id}", {"birth_date": day}, "birth_date")
        for day in (*NO_DATES, "2026-02-03", "2026-02-02", "2030-01")
    ),
    ("PATCH /v1/births/{birth_id}", {"birth_date": "2026", "birth_precision": "day"}, "birth_precision"),
    *(("PATCH /v1/births/{birth_id}", {kept: None}, kept) for kept in ("commune", "declared_on")),
    ("PATCH /v1/births/{birth_id}", {"mother_quartier": "9999999"}, "mother_quartier"),
    ("POST /v1/births", {"declared_on": "2026-01-09"}, "birth_date"),
    ("POST /v1/births", {"mother_birth_date": "2026-01-20"}, "mother_birth_date"),
    ("POST /v1/births", {"birth_date": "2026", "birth_precision": "day"}, "birth_precision"),
    *(("POST /v1/births", {"birth_time": hour}, "birth_time") for hour in ("24:00", "12:60", "4:30", "midi", "٠٤:٣٠")),
    *(("POST /v1/births", {"order": order}, "order") for order in (0, -1, 21, 2**63)),
    *(
        ("POST /v1/births/{birth_id}/registration", {"judgment": {**JUDGMENT, "date": day}}, "judgment.date")
        for day in (*NO_DATES, "2026-02-03", "2026-01-09")
    ),
    *(("POST /v1/clock/confirmation", {"date": day}, "date") for day in NO_DATES),
    ("POST /v1/births", {"commune": "CD-KN-099"}, "commune"),
    ("POST /v1/births", {"office": "CD-KN-017-99"}, "office"),
    ("POST /v1/births", {"office": "CD-KN-008-01"}, "office"),
    ("POST /v1/births", {"mother_quartier": "9999999"}, "mother_quartier"),
    ("POST /v1/births", {"mother_nationality": "ZZ"}, "mother_nationality"),
    ("POST /v1/births", {"sex": "X"}, "sex"),
    ("POST /v1/births", {"mother": "Marie"}, "mother"),
    ("POST /v1/births/{birth_id}/registration", {"office": "CD-KN-099-01"}, "office"),
    ("POST /v1/persons", {"nationality": "ZZ"}, "nationality"),
    ("POST /v1/persons", {"status": "mort"}, "status"),
    ("POST /v1/persons", {"line": 2**31}, "line"),
    ("POST /v1/households", {"quartier": "9999999"}, "quartier"),
    ("POST /v1/households", {"commune": "CD-KN-099"}, "commune"),
    ("POST /v1/households", {"commune": "CD-KN-008"}, "quartier"),
    ("POST /v1/households", {"lat": 91_000_000}, "lat"),
    ("PATCH /v1/households/{id}", {"quartier": "9999999"}, "quartier"),
    ("PATCH /v1/persons/{id}", {"nationality": "ZZ"}, "nationality"),
]  # fmt: skip


def test_what_cannot_be_is_refused_with_the_field_to_correct(desk: Desk) -> None:
    with desk.neighbours():
        desk.declare()
        before = desk.records()
        for name, given_values, field in CANNOT_BE:
            answer = desk.send(NAMED[name], text_of({**NAMED[name].body, **given_values}))
            assert refused(answer) == "invalid_input", (name, given_values)
            assert field in [error["field"] for error in answer.json()["errors"]], (
                name,
                given_values,
                answer.text,
            )
        assert desk.records() == before


# -- reprise: one act a line --------------------------------------------------------------------------------------

ACT = {
    "nom": "Ilunga", "sex": "M", "birth_date": "2011-01-05", "declared_on": "2011-02-01", "office": "CD-KN-017-01",
    "year": 2011, "volume": "1", "number": 1, "folio": "1", "registered_on": "2011-02-01", "judgment": JUDGMENT,
}  # fmt: skip
BAD_LINES: dict[str, bytes] = {
    "cut": b'{"nom":', "nothing": b"", "latin-1": b'{"nom":"\xe9"}', "twice": b'{"nom":"A","nom":"B"}',
    "NaN": b'{"year":NaN}', "1e400": b'{"year":1e400}', "5,000 digits": b'{"year":' + b"9" * 5000 + b"}",
    "deep": b"[" * 10_000 + b"]" * 10_000, "half deep": b"[" * 10_000, "U+0000": b'{"nom":"a\\u0000"}',
    "surrogate": b'{"nom":"\\ud800"}', "surrogate in a name": b'{"\\ud800":1}', "null": b"null", "list": b"[]",
    "number": b"1", "long": b'{"nom":"' + b"x" * 100_000 + b'"}', "raw NUL": b"\x00", "unknown": b'{"inconnu":1}',
}  # fmt: skip


def reprise(desk: Desk, *lines: bytes, key: str = "reprise-1", **headers: str) -> Any:
    said = {**desk.headers["registrar"], "Idempotency-Key": key, **headers}
    return desk.node.client.post("/v1/imports/acts", content=b"\n".join(lines), headers=said)


def test_a_line_that_is_no_act_is_named_and_nothing_of_its_file_comes_in(desk: Desk) -> None:
    act = {name: value for name, value in ACT.items() if name != "judgment"}
    before = desk.get("/v1/births?year=2011", "registrar").json()["items"]
    with desk.neighbours():
        for name, line in BAD_LINES.items():
            answer = reprise(desk, text_of(act), line, text_of({**act, "number": 3}))
            assert refused(answer) == "import_refused", name
            assert {error["line"] for error in answer.json()["errors"]} == {2}, name
        for body in (b"", b"\n\n", b"\x00", b"[]", text_of([act]), b"\xff\xfe{}"):
            assert refused(reprise(desk, body)) == "import_refused", body
        assert refused(reprise(desk, *[text_of(act)] * 1001)) == "too_large"
        assert refused(reprise(desk, b"x" * BIG)) == "too_large"
        bomb, said, code = BROKEN["a gzip bomb"]
        assert refused(reprise(desk, bomb, **said)) == code
        assert desk.get("/v1/births?year=2011", "registrar").json()["items"] == before


def test_a_strange_value_in_any_field_of_a_paper_act_never_breaks_the_server(desk: Desk) -> None:
    numbers = count(100)
    for at, field in enumerate(ACT):
        for value in share(STRANGE, at):
            line = text_of({**ACT, "number": next(numbers), field: value})
            told_or_done(reprise(desk, line, key=f"reprise-{next(numbers)}"))
    day = {**ACT, "number": next(numbers), "judgment": {**JUDGMENT, "date": "2010-02-30"}}
    assert refused(reprise(desk, text_of(day))) == "import_refused"


# -- anything at all ----------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=20) | st.sampled_from(["\x00", "2026-02-30", "1e400", SQL, UUID4, "CD-KN-017"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    write=st.sampled_from(JSON_WRITES),
    values=st.lists(st.tuples(st.integers(0, 50) | TEXTS, ANYTHING), min_size=1, max_size=3),
)
def test_anything_at_all_in_any_field_gets_an_answer_that_is_no_accident(
    desk: Desk, write: Write, values: list[tuple[int | str, Any]]
) -> None:
    names = fields_of(desk, write)
    given_values = {names[at % len(names)] if isinstance(at, int) else at: value for at, value in values}
    told_or_done(desk.send(write, text_of({**write.body, **given_values})))
