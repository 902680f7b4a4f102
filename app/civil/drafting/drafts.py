"""The draft of an act: drawn up from a declaration, read back to who declared, and given up when the declaration
changes or another draft is drawn. A draft is no act and has no number."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.drafting.tables import draft as draft_table
from app.civil.finding import birth_row
from app.civil.registration import Entry, head_of, ready
from app.civil.standing import ALREADY_REGISTERED
from app.civil.tables import birth as birth_table
from app.civil.wording import act_text
from app.clock import stamp
from app.errors import problem
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.door import Door
from app.ledger.entities import merged_ids

DRAFT_UNKNOWN = problem(
    "draft_unknown",
    404,
    "Projet d'acte inconnu",
    "Établissez d'abord le projet (POST /v1/births/{id}/draft).",
)
DRAFT_STALE = problem(
    "draft_stale",
    409,
    "Le projet d'acte n'est plus à jour",
    "La déclaration a changé depuis : établissez un nouveau projet et relisez-le.",
)
DRAFT_NOT_READ = problem(
    "draft_not_read",
    409,
    "Le projet d'acte n'a pas été lu",
    "Lisez-le au déclarant et inscrivez la lecture (POST /v1/births/{id}/draft/reading).",
)

OPEN = ("drawn", "read")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """To whom (names) a draft was read back, in which language, through whom, and what was remarked."""

    to: Sequence[str]
    language: str
    interpreter: str | None
    remarks: str | None


def draw_up(
    connection: sa.Connection, door: Door, officer: Officer, *, birth: str, entry: Entry, today: date
) -> Row:
    """Write the text of the act down as a draft, in the caller's transaction; earlier drafts of the birth are replaced.

    Raises whatever keeps the act itself from being drawn up (`registration.ready`). A clerk's draft leaves room for
    the registrar's name.
    """
    lock_door(connection)
    found = ready(connection, door, officer, birth=birth, entry=entry, today=today)
    now = door.clock.clock.now()
    text = act_text(found.values, head_of(connection, door, entry, drawn=now, officer=officer))
    facts: dict[str, Any] = {"values": fingerprint(found.values)}
    if entry.judgment is not None:
        facts["judgment"] = dict(entry.judgment)
    values = {
        "birth": found.birth,
        "commune": found.commune,
        "office": entry.office,
        "volume": entry.volume,
        "folio": entry.folio,
        "text": text,
        "facts": facts,
        "drawn_on": today.isoformat(),
        "drawn_at": stamp(now),
        "drawn_by": officer.id,
        "drawn_name": officer.name,
        "stage": "drawn",
    }
    identity = str(uuid.uuid4())
    told = {name: value for name, value in values.items() if value is not None}
    drawn = {"kind": "draft", "id": identity, "new": True, "set": told}
    door.write(connection, [*replacing(connection, found.birth), drawn], by=officer.id)
    return _row(connection, identity)


def read_back(
    connection: sa.Connection, door: Door, officer: Officer, *, birth: str, reading: Reading
) -> Row:
    """Note that the latest draft of a birth was read back; a second reading takes the place of the first.

    Raises `birth_unknown` 404, `other_commune` 403, `draft_unknown` 404, `draft_stale` 409, `already_registered` 409.
    """
    lock_door(connection)
    stored = birth_row(connection, birth)
    require(officer, door.areas.commune(door.areas.code(stored["area"])), node_kind=door.standing.kind)
    row = latest(connection, stored["id"])
    if row is None:
        raise DRAFT_UNKNOWN()
    if row["stage"] == "signed":
        raise ALREADY_REGISTERED(act=row["act"])
    if is_stale(row, door.registry.shapes["birth"].clean_values(stored)):
        raise DRAFT_STALE()
    said = {
        "stage": "read",
        "read_at": stamp(door.clock.clock.now()),
        "read_by": officer.id,
        "read_to": list(reading.to),
        "read_language": reading.language,
        "interpreter": reading.interpreter,
        "remarks": reading.remarks,
    }
    told = {name: value for name, value in said.items() if value is not None or row[name] is not None}
    door.write(connection, [change(connection, "draft", row, values=told)], by=officer.id)
    return _row(connection, row["id"])


def latest(connection: sa.Connection, birth: str) -> Row | None:
    """The draft of a birth that counts: the last one drawn that no other replaced, else the last one; None without."""
    draft = draft_table.c
    births = [birth, *merged_ids(connection, birth_table, birth)]
    newest = sa.case((draft.stage == "replaced", 1), else_=0), draft.drawn_at.desc(), draft.id
    query = sa.select(draft_table).where(draft.birth.in_(births)).order_by(*newest).limit(1)
    found = connection.execute(query).mappings().one_or_none()
    return dict(found) if found is not None else None


def replacing(connection: sa.Connection, birth: str, *, but: str | None = None) -> list[dict[str, Any]]:
    """The operations by which every open draft of a birth, except `but`, says that it was replaced."""
    births = [birth, *merged_ids(connection, birth_table, birth)]
    open_ones = draft_table.c.birth.in_(births), draft_table.c.stage.in_(OPEN)
    rows = connection.execute(sa.select(draft_table).where(*open_ones)).mappings().all()
    given_up = {"stage": "replaced"}
    return [change(connection, "draft", dict(row), values=given_up) for row in rows if row["id"] != but]


def is_stale(row: Row, values: Mapping[str, Any]) -> bool:
    """Whether the declaration's clean `values` are no longer those the draft was drawn from, or another replaced it."""
    if row["stage"] == "signed":
        return False
    return row["stage"] == "replaced" or facts_of(row).get("values") != fingerprint(values)


def facts_of(row: Row) -> dict[str, Any]:
    """What the draft rests on: the fingerprint of the values, and the judgment where there is one."""
    found = json.loads(row["facts"]) if row["facts"] else {}
    return found if isinstance(found, dict) else {}


def fingerprint(values: Mapping[str, Any]) -> str:
    """SHA-256 of a declaration's clean values: the same for the same values, in whatever order they came."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def standing(row: Row | None, values: Mapping[str, Any], *, registered: bool) -> dict[str, Any]:
    """How far a birth has come as REST shows it: {"stage", "draft"}, from its latest draft and its clean `values`.

    Stages are declared, drawn, read and registered. A draft that no longer holds brings nobody on.
    """
    if row is None:
        return {"stage": "registered" if registered else "declared", "draft": None}
    stale = is_stale(row, values)
    reached = row["stage"] if row["stage"] in OPEN and not stale else "declared"
    draft = {"id": row["id"], "stage": row["stage"], "stale": stale}
    return {"stage": "registered" if registered else reached, "draft": draft}


def _row(connection: sa.Connection, identity: str) -> Row:
    return dict(connection.execute(draft_table.select().where(draft_table.c.id == identity)).mappings().one())
