"""Dates of office: from which act and between which days an officer signs. Outside them he reads as before.

What a signature needs besides is the question of factors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from app.access import tables
from app.access.events import record_event
from app.access.officers import Officer, find_officer
from app.errors import problem

NOT_IN_OFFICE = problem(
    "not_in_office",
    403,
    "Hors des dates de fonction",
    "Seul signe celui qui est en fonction ce jour ; l'administrateur tient les dates (PATCH /v1/officers/{id}).",
)
OFFICE_INVALID = problem(
    "office_invalid", 422, "Dates de fonction non valables", "Le dernier jour ne précède pas le premier."
)


@dataclass(frozen=True, slots=True)
class Office:
    """First and last day of office (AAAA-MM-JJ, both included; None = open) and the act that appoints or delegates."""

    office_from: str | None
    office_to: str | None
    appointed_by: str | None


def set_office(
    connection: sa.Connection, officer: str, office: Office, *, by: str | None, at: datetime
) -> None:
    """Give an officer (id) these dates; `by` None = the command line. Nothing is written where nothing changes.

    Raises `officer_unknown` (404) or `office_invalid` (422).
    """
    row = find_officer(connection, officer)
    if office == Office(row.office_from, row.office_to, row.appointed_by):
        return
    if office.office_from and office.office_to and office.office_to < office.office_from:
        raise OFFICE_INVALID(f"Du {office.office_from} au {office.office_to} : la fin précède le début.")
    values = {name: getattr(office, name) for name in ("office_from", "office_to", "appointed_by")}
    connection.execute(tables.officer.update().where(tables.officer.c.id == officer).values(values))
    record_event(connection, officer, event="office_changed", by=by, at=at)


def require_in_office(officer: Officer, day: date) -> None:
    """Raise `not_in_office` (403) unless the officer may sign on that day; a delegate needs a first day of office.

    A delegate acts by a delegation alone (Family Code, art. 73 and 76, unverified); a registrar without dates signs.
    """
    if officer.role == "delegate" and officer.office_from is None:
        raise NOT_IN_OFFICE("Aucune délégation n'est inscrite pour cet officier : il lit mais ne signe pas.")
    if not (officer.office_from or "") <= day.isoformat() <= (officer.office_to or "9999-12-31"):
        begins, ends = officer.office_from or "…", officer.office_to or "…"
        raise NOT_IN_OFFICE(f"Cet officier est en fonction du {begins} au {ends}.")
