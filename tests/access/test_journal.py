"""The journal of reads."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from app.access import journal, tables
from app.access.officers import Officer
from app.database import Database
from tests.access.conftest import AddOfficer
from tests.conftest import TestClock

ROUTE = "GET /v1/persons/{id}"


@pytest.fixture
def clerk(add: AddOfficer) -> Officer:
    row = add("mbuyi", "clerk")
    return Officer(row.id, row.username, row.name, row.role, row.commune, "certificat")


def read(database: Database, clerk: Officer, *, subjects: list[str], clock: TestClock) -> None:
    with database.write() as connection:
        journal.record_read(
            connection,
            clerk,
            kind="person",
            subjects=subjects,
            commune="CD-KN-017",
            route=ROUTE,
            at=clock.now(),
        )


def test_a_person_can_be_told_who_read_his_file(database: Database, clerk: Officer, clock: TestClock) -> None:
    mother, child = str(uuid.uuid4()), str(uuid.uuid4())
    read(database, clerk, subjects=[mother, child], clock=clock)
    with database.read() as connection:
        [line] = journal.readings_of(connection, [child])
        assert len(journal.readings_of(connection, [mother])) == 1
    assert line == journal.Reading(
        line.id,
        "2026-02-02T09:00:00.000Z",
        "mbuyi",
        "Mbuyi",
        "clerk",
        "certificat",
        "person",
        "CD-KN-017",
        ROUTE,
    )


def test_reading_a_hundred_persons_is_one_statement(
    database: Database, clerk: Officer, clock: TestClock
) -> None:
    statements: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    read(database, clerk, subjects=[str(uuid.uuid4()) for _ in range(100)], clock=clock)
    assert sum("read_journal" in statement for statement in statements) == 1
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.read_journal)) == 100


def test_a_search_that_found_nobody_leaves_no_line(
    database: Database, clerk: Officer, clock: TestClock
) -> None:
    read(database, clerk, subjects=[], clock=clock)
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.read_journal)) == 0


@pytest.mark.parametrize("change", ["UPDATE read_journal SET purpose = 'autre'", "DELETE FROM read_journal"])
def test_nobody_can_change_the_journal_not_even_by_sql(
    database: Database, clerk: Officer, clock: TestClock, change: str
) -> None:
    subject = str(uuid.uuid4())
    read(database, clerk, subjects=[subject], clock=clock)
    with pytest.raises(sa.exc.DBAPIError, match="only appended to"), database.write() as connection:
        connection.exec_driver_sql(change)
    with database.read() as connection:
        assert [line.purpose for line in journal.readings_of(connection, [subject])] == ["certificat"]
