"""Provisional declarations: no paper register is at hand, so the birth gets a number of its office and year, and its
act later. The delay stays that of the declaration."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil import tables
from app.civil.books.offices import office_commune, require_open
from app.civil.books.tables import provisional
from app.civil.finding import birth_row, births_of
from app.civil.standing import require_unregistered
from app.errors import problem
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.desk import invalid
from app.ledger.door import Door
from app.ledger.entities import in_lists
from app.ledger.node import require_caught_up

ALREADY_PROVISIONAL = problem(
    "already_provisional",
    409,
    "Numéro provisoire déjà donné",
    "Cette naissance attend déjà son acte sous un numéro provisoire.",
)

_SHOWN = (
    *("id", "birth", "commune", "office", "year", "number", "declared_on", "reason", "issued_on", "stage"),
    *("act", "numbered_on"),
)
_NAMES = ("nom", "postnom", "prenom")

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A page of provisional declarations as REST shows them, where the next begins, and whose births were read."""

    items: list[dict[str, Any]]
    next: Place | None
    births: list[str]


def declare_provisionally(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    birth: str,
    office: str,
    reason: str | None,
    today: date,
) -> dict[str, Any]:
    """Give a declared birth the next provisional number of the office and year of `today`, in the caller's transaction.

    Raises `birth_unknown` 404, `other_commune` 403, `already_registered`, `already_provisional`, `office_closed` 409,
    `invalid_input` 422, `catching_up` 503.
    """
    lock_door(connection)
    require_caught_up(connection)
    row = birth_row(connection, birth)
    commune = door.areas.commune(door.areas.code(row["area"]))
    require(officer, commune, node_kind=door.standing.kind)
    if office_commune(connection, door, office) != commune:
        raise invalid("office", "Indiquez un bureau de la commune où la naissance a été déclarée.")
    require_open(connection, office, day=today)
    require_unregistered(connection, births_of(connection, row["id"]))
    if before := _waiting(connection, row["id"]):
        number = f"{before[0]['number']} de {before[0]['year']}"
        raise ALREADY_PROVISIONAL(f"Le numéro provisoire {number} existe.", provisional=before[0]["id"])
    values = {
        "birth": row["id"],
        "commune": commune,
        "office": office,
        "year": today.year,
        "number": _next_number(connection, office, today.year),
        "declared_on": row["declared_on"],
        "reason": reason,
        "issued_on": today.isoformat(),
        "issued_by": officer.id,
        "stage": "waiting",
    }
    identity = str(uuid.uuid4())
    given = {name: value for name, value in values.items() if value is not None}
    door.write(
        connection, [{"kind": "provisional", "id": identity, "new": True, "set": given}], by=officer.id
    )
    (stored,) = _rows(connection, provisional.c.id == identity)
    return _shown(stored, today=today)


def number_provisionals(
    connection: sa.Connection, birth: str, *, act: str, today: date
) -> list[dict[str, Any]]:
    """The operations that tell every provisional declaration of this birth, waiting until now, its act."""
    values = {"stage": "numbered", "act": act, "numbered_on": today.isoformat()}
    return [change(connection, "provisional", row, values=values) for row in _waiting(connection, birth)]


def provisionals(
    connection: sa.Connection,
    *,
    communes: Collection[str] | None,
    stage: str | None,
    after: Place | None,
    limit: int,
    today: date,
) -> Waiting:
    """The tray of these communes (None = all), who waits longest first, with the days each has waited."""
    place = sa.func.coalesce(provisional.c.issued_on, ""), provisional.c.id
    names = [tables.birth.c[name] for name in _NAMES]
    query = sa.select(provisional, *names).outerjoin(tables.birth, tables.birth.c.id == provisional.c.birth)
    query = query.where(in_lists(provisional))
    if communes is not None:
        query = query.where(provisional.c.commune.in_(sorted(communes)))
    if stage is not None:
        query = query.where(provisional.c.stage == stage)
    if after is not None:
        issued_on, identity = after
        here = sa.tuple_(*place)
        query = query.where(
            here > sa.tuple_(sa.literal(issued_on), sa.literal(identity, provisional.c.id.type))
        )
    rows = [dict(row) for row in connection.execute(query.order_by(*place).limit(limit + 1)).mappings()]
    last = rows[limit - 1] if len(rows) > limit else None
    items = [_shown(row, today=today) | {name: row[name] for name in _NAMES} for row in rows[:limit]]
    births = [item["birth"] for item in items if item["birth"] is not None]
    return Waiting(items, (last["issued_on"] or "", last["id"]) if last is not None else None, births)


def _next_number(connection: sa.Connection, office: str, year: int) -> int:
    greatest = sa.select(sa.func.max(provisional.c.number))
    greatest = greatest.where(provisional.c.office == office, provisional.c.year == year)
    return int(connection.scalar(greatest) or 0) + 1


def _waiting(connection: sa.Connection, birth: str) -> list[Mapping[str, Any]]:
    births = provisional.c.birth.in_(births_of(connection, birth))
    return _rows(connection, births, provisional.c.stage == "waiting", in_lists(provisional))


def _rows(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Mapping[str, Any]]:
    query = sa.select(provisional).where(*where).order_by(provisional.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _shown(row: Mapping[str, Any], *, today: date) -> dict[str, Any]:
    """A provisional declaration with the days from its number to its act, or to `today`."""
    until = date.fromisoformat(row["numbered_on"]) if row["numbered_on"] else today
    since = date.fromisoformat(row["issued_on"]) if row["issued_on"] else None
    return {name: row[name] for name in _SHOWN} | {"days_waiting": (until - since).days if since else None}
