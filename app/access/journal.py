"""The journal of reads: who read whose data, for what purpose, by which route, when. Appended to, never changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.access import tables
from app.access.officers import Officer
from app.clock import stamp


@dataclass(frozen=True, slots=True)
class Reading:
    """One line of the journal about a subject: its number, `at` as RFC 3339 text in UTC, and who read why."""

    id: int
    at: str
    username: str
    name: str
    role: str
    purpose: str | None
    kind: str
    commune: str | None
    route: str


def record_read(
    connection: sa.Connection,
    officer: Officer,
    *,
    kind: str,
    subjects: Collection[str],
    commune: str | None,
    route: str,
    at: datetime,
) -> None:
    """Write one line for each subject (ids of that `kind`) in one statement.

    Called in the transaction of the read: the endpoint answers only after its lines are committed. `route` is
    "GET /v1/persons/{id}", never with a search text in it. No subjects, no line.
    """
    shown = [(kind, subject, commune) for subject in subjects]
    record_reads(connection, officer, shown=shown, route=route, at=at)


def record_reads(
    connection: sa.Connection,
    officer: Officer,
    *,
    shown: Collection[tuple[str, str, str | None]],
    route: str,
    at: datetime,
) -> None:
    """The same for subjects of several kinds and communes, each (kind, id, commune) once, in one statement."""
    line = {"at": stamp(at), "officer": officer.id, "purpose": officer.purpose, "route": route}
    lines = [
        line | {"kind": kind, "subject": subject, "commune": commune}
        for kind, subject, commune in dict.fromkeys(shown)
    ]
    if lines:
        connection.execute(tables.read_journal.insert(), lines)


def readings_of(
    connection: sa.Connection, subjects: Collection[str], *, after: int = 0, limit: int | None = None
) -> list[Reading]:
    """Every read of these subjects (ids), oldest first, from the first line after number `after`: what is printed
    for a person (Digital Code, 23/010)."""
    journal, reader = tables.read_journal.c, tables.officer.c
    columns = (journal.id, journal.at, reader.username, reader.name, reader.role, journal.purpose)
    query = (
        sa.select(*columns, journal.kind, journal.commune, journal.route)
        .join(tables.officer, reader.id == journal.officer)
        .where(journal.subject.in_(subjects), journal.id > after)
        .order_by(journal.id)
        .limit(limit)
    )
    return [Reading(*row) for row in connection.execute(query)]
