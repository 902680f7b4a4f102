"""Whatever goes wrong, a clerk's program gets a problem with a stable code and a French sentence."""

from __future__ import annotations

import errno
import json
import sqlite3
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.database import Database
from tests.web.client import InProcess
from tests.web.conftest import FAILURES, refusal


def test_a_problem_keeps_its_members_and_headers(client: InProcess) -> None:
    answer = client.get("/failures/teapot")
    assert refusal(answer) == (418, "test_teapot")
    assert answer.headers["X-Tea"] == "1"
    assert (answer.json()["leaves"], answer.json()["detail"]) == (3, "Il n'y a que du thé.")


def test_an_address_or_method_that_does_not_exist_is_a_problem(client: InProcess) -> None:
    assert refusal(client.get("/nowhere")) == (404, "not_found")
    answer = client.delete("/births")
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "nom", "Champ obligatoire."),
        ({"nom": ""}, "nom", "Au moins 1 caractère(s)."),
        ({"nom": "x" * 21}, "nom", "Au plus 20 caractères."),
        ({"nom": 7}, "nom", "Un texte est attendu."),
        ({"nom": "M", "order": "x"}, "order", "Un nombre entier est attendu."),
        ({"nom": "M", "order": 10}, "order", "Au plus 9."),
        ({"nom": "M", "witnesses": ["A", 2]}, "witnesses.1", "Un texte est attendu."),
        ([], "body", "Un objet JSON est attendu."),
    ],
)
def test_a_wrong_field_is_named_in_french(client: InProcess, body: Any, field: str, message: str) -> None:
    answer = client.post("/births", json=body)
    assert refusal(answer) == (422, "invalid_input")
    assert answer.json()["errors"] == [{"field": field, "message": message}]


@pytest.mark.parametrize("said", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_said_to_be_json_is_told_which_header_to_send(
    client: InProcess, said: str
) -> None:
    answer = client.post("/births", content=b'{"nom": "Mbuyi"}', headers={"Content-Type": said})
    assert refusal(answer) == (422, "invalid_input")
    assert answer.json()["detail"] == "Envoyez Content-Type: application/json."
    assert answer.json()["errors"] == [{"field": "Content-Type", "message": answer.json()["detail"]}]


def test_a_wrong_query_or_address_is_named_too(client: InProcess) -> None:
    answer = client.get("/persons/abc")
    assert refusal(answer) == (422, "invalid_input")
    assert answer.json()["errors"] == [{"field": "number", "message": "Un nombre entier est attendu."}]


def test_what_the_clerk_typed_is_not_sent_back(client: InProcess) -> None:
    assert "MBUYI" not in client.post("/births", json={"nom": "MBUYI" * 20}).text


def test_a_thousand_mistakes_get_a_short_answer(client: InProcess) -> None:
    answer = client.post("/births", json={"nom": "M", "order": 0, "witnesses": [1] * 100_000})
    assert len(answer.content) < 10_000


PASSING = [
    sa.exc.OperationalError("SELECT", {}, psycopg.OperationalError("connection refused")),
    sa.exc.OperationalError("SELECT", {}, psycopg.errors.DeadlockDetected()),
    sa.exc.OperationalError("SELECT", {}, psycopg.errors.AdminShutdown()),
    psycopg.errors.SerializationFailure(),
    sa.exc.TimeoutError(),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_a_busy_database_is_asked_again_later(client: InProcess, error: Exception) -> None:
    FAILURES["now"] = error
    answer = client.get("/failures/now")
    assert refusal(answer) == (503, "busy")
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "full"), psycopg.errors.DiskFull(), OSError(errno.EDQUOT, "full")],
    ids=repr,
)
def test_a_full_disk_is_said_to_be_full(client: InProcess, error: Exception) -> None:
    FAILURES["now"] = error
    assert refusal(client.get("/failures/now")) == (507, "disk_full")


def raised(action: Any) -> Exception:
    try:
        action()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


def test_a_real_full_sqlite_file_is_a_full_disk(client: InProcess, tmp_path: Any) -> None:
    database = Database(f"sqlite:///{tmp_path / 'small.db'}")

    def fill() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=8")
            connection.exec_driver_sql("CREATE TABLE t (v)")
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100000))")

    FAILURES["now"] = raised(fill)
    database.close()
    assert refusal(client.get("/failures/now")) == (507, "disk_full")


def test_a_real_locked_sqlite_file_is_busy(client: InProcess, tmp_path: Any) -> None:
    writer, other = (sqlite3.connect(tmp_path / "one.db", timeout=0, isolation_level=None) for _ in range(2))
    writer.execute("BEGIN IMMEDIATE")
    FAILURES["now"] = raised(lambda: other.execute("BEGIN IMMEDIATE"))
    writer.close()
    other.close()
    assert refusal(client.get("/failures/now")) == (503, "busy")


def test_a_value_no_engine_can_store_is_the_senders_mistake(client: InProcess, database: Database) -> None:
    def ask(value: str) -> None:
        with database.read() as connection:
            connection.execute(sa.text("SELECT * FROM officer WHERE username = :name"), {"name": value})

    if database.is_sqlite:
        ask("a\x00b")
        return
    FAILURES["now"] = raised(lambda: ask("a\x00b"))
    assert refusal(client.get("/failures/now")) == (422, "invalid_input")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("MBUYI secret"),
        OSError("MBUYI secret"),
        sa.exc.IntegrityError("x", {}, Exception("MBUYI secret")),
    ],
    ids=repr,
)
def test_a_mistake_of_ours_is_answered_without_anybodys_name(
    client: InProcess, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    FAILURES["now"] = error
    answer = client.get("/failures/now")
    assert refusal(answer) == (500, "internal")
    logged = capsys.readouterr().out
    assert "MBUYI" not in answer.text + logged
    assert type(error).__name__ in logged


def test_the_documentation_shows_problems_and_not_the_frameworks_own_errors(application: FastAPI) -> None:
    document = application.openapi()
    responses = document["paths"]["/births"]["post"]["responses"]
    assert list(responses["4XX"]["content"]) == ["application/problem+json"]
    assert "422" not in responses
    assert "HTTPValidationError" not in json.dumps(document)
