"""The civil-status offices of a commune: those of the territory's lists and those opened since, as one list. An office
that was closed stays known, so that its acts do; it takes no new ones."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.books.tables import civil_office
from app.errors import problem
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.desk import invalid
from app.ledger.door import Door
from app.ledger.entities import in_lists
from app.territory import tables as territory
from app.territory.places import COMMUNE_UNKNOWN

OFFICE_UNKNOWN = problem(
    "office_unknown",
    404,
    "Bureau inconnu",
    "Utilisez un code de bureau de GET /v1/communes/{code}/offices.",
)
OFFICE_CLOSED = problem(
    "office_closed", 409, "Bureau fermé", "Un bureau fermé ne reçoit plus d'actes ; choisissez-en un autre."
)

_FIELDS = ("code", "commune", "name", "main", "address", "valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class Office:
    """One office; `main` is the commune's own, the others are secondary. Dates AAAA-MM-JJ, both days included."""

    code: str
    commune: str
    name: str | None
    main: bool
    address: str | None
    valid_from: str | None
    valid_to: str | None

    def is_open(self, day: date) -> bool:
        """Whether the office works on that day."""
        text = day.isoformat()
        return (self.valid_from or "") <= text and (self.valid_to is None or text <= self.valid_to)


def office_commune(connection: sa.Connection, door: Door, code: str) -> str | None:
    """The commune of an office, ended ones included; None for a code that nobody opened."""
    listed = door.territory.office_commune(code)
    if listed is not None:
        return listed
    known = sa.select(civil_office.c.commune).where(civil_office.c.code == code, in_lists(civil_office))
    return connection.execute(known.order_by(civil_office.c.id).limit(1)).scalar()


def offices_of(connection: sa.Connection, commune: str) -> list[Office]:
    """Every office of a commune, ended ones included, by code."""
    listed, since = territory.office, civil_office
    return _offices(connection, listed.c.commune == commune, since.c.commune == commune)


def find_office(connection: sa.Connection, code: str) -> Office | None:
    """The office of this code; None for a code that nobody opened."""
    listed, since = territory.office, civil_office
    found = _offices(connection, listed.c.code == code, since.c.code == code)
    return found[0] if found else None


def require_open(connection: sa.Connection, code: str, *, day: date) -> None:
    """Raise `office_closed` (409) for an office that does not work on that day."""
    found = find_office(connection, code)
    if found is not None and not found.is_open(day):
        raise OFFICE_CLOSED(f"Le bureau {code} n'est pas ouvert le {day:%d/%m/%Y}.")


def open_office(
    connection: sa.Connection, door: Door, officer: Officer, *, values: Mapping[str, Any], today: date
) -> Office:
    """Open an office of a commune under the next free code, in the caller's transaction.

    `values`: commune, name, main?, address?, valid_from? (default `today`). Raises `commune_unknown` 404,
    `other_commune` 403.
    """
    commune = values["commune"]
    if commune not in door.territory.communes:
        raise COMMUNE_UNKNOWN(f"Aucune commune ne porte le code « {commune} ».")
    require(officer, commune, node_kind=door.standing.kind)
    lock_door(connection)
    made = {"main": False, "valid_from": today.isoformat(), **values}
    made["code"] = _next_code(commune, offices_of(connection, commune))
    operation = {"kind": "office", "id": str(uuid.uuid4()), "new": True, "set": made}
    door.write(connection, [operation], by=officer.id)
    return _read(connection, made["code"])


def close_office(
    connection: sa.Connection, door: Door, officer: Officer, *, code: str, valid_to: str
) -> Office:
    """Let an office work to the end of `valid_to`, in the caller's transaction; its acts and books stay where they are.

    Raises `office_unknown` 404, `other_commune` 403, `office_closed` 409 (already ended), `invalid_input` 422.
    """
    lock_door(connection)
    office = find_office(connection, code)
    if office is None:
        raise OFFICE_UNKNOWN(f"Aucun bureau ne porte le code « {code[:40]} ».")
    require(officer, office.commune, node_kind=door.standing.kind)
    if office.valid_to is not None:
        raise OFFICE_CLOSED(f"Le bureau {code} est fermé depuis le {office.valid_to}.")
    if office.valid_from is not None and valid_to < office.valid_from:
        raise invalid("valid_to", "Le bureau n'était pas encore ouvert ce jour-là.")
    rows = _rows(connection, civil_office.c.code == code)
    operations = [change(connection, "office", row, values={"valid_to": valid_to}) for row in rows]
    if not rows:
        # An office of the territory's lists gets an entity of its own the day something happens to it.
        values = {name: getattr(office, name) for name in _FIELDS} | {"valid_to": valid_to}
        known = {name: value for name, value in values.items() if value is not None}
        operations = [{"kind": "office", "id": str(uuid.uuid4()), "new": True, "set": known}]
    door.write(connection, operations, by=officer.id)
    return _read(connection, code)


def _read(connection: sa.Connection, code: str) -> Office:
    found = find_office(connection, code)
    if found is None:
        raise RuntimeError(f"this server may not keep offices: {code}")
    return found


def _offices(
    connection: sa.Connection, listed: sa.ColumnElement[bool], since: sa.ColumnElement[bool]
) -> list[Office]:
    """What was written since the lists were loaded goes before them."""
    found: dict[str, dict[str, Any]] = {}
    for old in connection.execute(sa.select(territory.office).where(listed)).mappings():
        found[old["code"]] = dict.fromkeys(_FIELDS) | dict(old)
    for row in _rows(connection, since):
        known = {name: row[name] for name in _FIELDS if row[name] is not None}
        if known.keys() >= {"code", "commune"}:
            found[row["code"]] = found.get(row["code"], dict.fromkeys(_FIELDS)) | known
    return [Office(**{**found[code], "main": bool(found[code]["main"])}) for code in sorted(found)]


def _rows(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[Mapping[str, Any]]:
    query = sa.select(civil_office).where(where, in_lists(civil_office)).order_by(civil_office.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _next_code(commune: str, offices: Iterable[Office]) -> str:
    endings = (re.fullmatch(r".*-([0-9]+)", office.code) for office in offices)
    taken = [int(ending[1]) for ending in endings if ending is not None]
    return f"{commune}-{max(taken, default=0) + 1:02}"
