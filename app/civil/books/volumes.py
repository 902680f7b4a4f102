"""The volumes of a register: opened, marked with their cote et paraphe, filled, closed. Gives no number and refuses no
act."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.books.closing import closing_statement
from app.civil.books.offices import OFFICE_UNKNOWN, find_office
from app.civil.books.tables import book
from app.civil.tables import act
from app.errors import problem
from app.law.registers import sheets_of_volume
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.desk import invalid
from app.ledger.door import Door
from app.ledger.entities import in_lists
from app.ledger.node import require_caught_up

REGISTER_UNKNOWN = problem("register_unknown", 404, "Volume inconnu", "Vérifiez l'identifiant du volume.")
VOLUME_OPENED = problem(
    "volume_opened", 409, "Volume déjà ouvert", "Ce volume est ouvert ; prenez-le ou ouvrez le suivant."
)
VOLUME_CLOSED = problem(
    "volume_closed", 409, "Volume clos", "Un volume clos ne reçoit plus rien ; ouvrez le suivant."
)
VOLUME_INITIALLED = problem(
    "volume_initialled", 409, "Volume déjà coté et paraphé", "La cote et le paraphe sont déjà inscrits."
)

Key = tuple[str, int, str]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in one volume: how many acts, and the greatest number."""

    acts: int
    last_number: int | None


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume as opened (the row of `book`) and what was written into it so far."""

    row: Row
    written: Written

    @property
    def state(self) -> str:
        """ "open" or "closed"."""
        return "closed" if self.row["closed_on"] is not None else "open"

    @property
    def sheets_left(self) -> int | None:
        """Sheets without an act (one act a sheet), never below 0; None where nobody knows how many there are."""
        return None if self.row["sheets"] is None else max(0, self.row["sheets"] - self.written.acts)


def open_volume(
    connection: sa.Connection, door: Door, officer: Officer, *, values: Mapping[str, Any], today: date
) -> Volume:
    """Open a volume of the register of births, in the caller's transaction.

    `values`: office, volume, year? (this one), sheets? (the dated parameter), initialled_on?, initialled_by?,
    opened_on? (`today`). Raises `office_unknown` 404, `other_commune` 403, `volume_opened` 409, `invalid_input` 422.
    """
    lock_door(connection)
    require_caught_up(connection)
    office = find_office(connection, values["office"])
    if office is None:
        raise OFFICE_UNKNOWN(f"Aucun bureau ne porte le code « {values['office']} ».")
    require(officer, office.commune, node_kind=door.standing.kind)
    made = {"year": today.year, "opened_on": today.isoformat(), **values}
    _require_past(made, today=today)
    if made["year"] > today.year + 1:
        raise invalid(
            "year", "Un volume s'ouvre pour l'année en cours ou la suivante, ou pour une année passée."
        )
    if before := books_of(connection, (made["office"], made["year"], made["volume"])):
        raise VOLUME_OPENED(register=before[0]["id"])
    sheets = made.get("sheets") or sheets_of_volume(date.fromisoformat(made["opened_on"]))
    if sheets is not None:
        made["sheets"] = sheets
    made |= {"commune": office.commune, "register": "birth", "opened_by": officer.id}
    identity = str(uuid.uuid4())
    door.write(connection, [{"kind": "book", "id": identity, "new": True, "set": made}], by=officer.id)
    return volume_of(connection, book_row(connection, identity))


def initial_volume(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    register: str,
    values: Mapping[str, str],
    today: date,
) -> Volume:
    """Note the cote et paraphe of a volume opened without it. `values`: initialled_on, initialled_by.

    Raises `register_unknown` 404, `other_commune` 403, `volume_initialled` 409, `invalid_input` 422.
    """
    row = _locked(connection, door, officer, register=register)
    if is_initialled(row):
        raise VOLUME_INITIALLED()
    _require_past(values, today=today)
    door.write(connection, [change(connection, "book", row, values=values)], by=officer.id)
    return volume_of(connection, book_row(connection, register))


def close_volume(
    connection: sa.Connection, door: Door, officer: Officer, *, register: str, today: date
) -> Volume:
    """Close a volume on `today`: acts are counted, the last number and the closing statement in French written down.

    Raises `register_unknown` 404, `other_commune` 403, `volume_closed` 409.
    """
    row = _locked(connection, door, officer, register=register)
    if row["closed_on"] is not None:
        raise VOLUME_CLOSED(f"Ce volume est clos depuis le {row['closed_on']}.")
    require_caught_up(connection)
    written = written_in(connection, key_of(row))
    office = find_office(connection, row["office"])
    values: dict[str, Any] = {"acts": written.acts, "last_number": written.last_number or 0}
    values |= {"closed_on": today.isoformat(), "closed_by": officer.id, "closed_name": officer.name}
    values["statement"] = closing_statement(row, values, office=office.name if office else None)
    door.write(connection, [change(connection, "book", row, values=values)], by=officer.id)
    return volume_of(connection, book_row(connection, register))


def book_row(connection: sa.Connection, register: str) -> Row:
    """The stored volume; raises `register_unknown` (404)."""
    query = sa.select(book).where(book.c.id == register, in_lists(book))
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise REGISTER_UNKNOWN()
    return dict(found)


def books_of(connection: sa.Connection, key: Key) -> list[Row]:
    """Every opening of one (office, year, volume), by id: two where two servers opened it."""
    office, year, volume = key
    where = book.c.office == office, book.c.year == year, book.c.volume == volume, in_lists(book)
    return [
        dict(row) for row in connection.execute(sa.select(book).where(*where).order_by(book.c.id)).mappings()
    ]


def key_of(row: Row) -> Key:
    """(office, year, volume) of a row of `book` or `act`; empty where a value is unknown."""
    return (row["office"] or "", row["year"] or 0, row["volume"] or "")


def is_initialled(row: Row) -> bool:
    """Whether day and authority of a volume's cote et paraphe are known."""
    return row["initialled_on"] is not None and row["initialled_by"] is not None


def written_in(connection: sa.Connection, key: Key) -> Written:
    """What stands in one volume, opened or not."""
    return _written(connection, {key})[key]


def volume_of(connection: sa.Connection, row: Row) -> Volume:
    """A stored volume with what stands in it."""
    return volumes_of(connection, [row])[0]


def volumes_of(connection: sa.Connection, rows: Iterable[Row]) -> list[Volume]:
    """Stored volumes with what stands in them: one statement, however many."""
    listed = list(rows)
    written = _written(connection, {key_of(row) for row in listed})
    return [Volume(row, written[key_of(row)]) for row in listed]


def _written(connection: sa.Connection, keys: Collection[Key]) -> dict[Key, Written]:
    found = dict.fromkeys(keys, Written(0, None))
    if not keys:
        return found
    place = act.c.office, act.c.year, act.c.volume
    among = (column.in_(set(values)) for column, values in zip(place, zip(*keys, strict=True), strict=True))
    query = sa.select(*place, sa.func.count(), sa.func.max(act.c.number)).where(*among).group_by(*place)
    for office, year, volume, acts, last in connection.execute(query):
        if (office, year, volume) in keys:
            found[office, year, volume] = Written(acts, last)
    return found


def _locked(connection: sa.Connection, door: Door, officer: Officer, *, register: str) -> Row:
    lock_door(connection)
    row = book_row(connection, register)
    require(officer, row["commune"], node_kind=door.standing.kind)
    return row


def _require_past(values: Mapping[str, Any], *, today: date) -> None:
    for name in ("opened_on", "initialled_on"):
        if values.get(name, "") > today.isoformat():
            raise invalid(name, "Cette date est dans l'avenir.")
