"""Opening the file of a birth out of the legal delay: by which path, before which court, in which campaign. Registers
nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.declaration import delay, refuse
from app.civil.finding import birth_row
from app.civil.late.course import UNDETERMINED, BirthState, court_for
from app.civil.late.files import File, births_of, campaign_row, open_file, waiver
from app.civil.late.tables import late_procedure
from app.civil.registration import DECLARATION_VOID
from app.civil.standing import ALREADY_REGISTERED
from app.errors import problem
from app.law.courts import late_path
from app.law.registers import judgment_needed
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.door import Door
from app.ledger.node import require_caught_up

PROCEDURE_OPEN = problem(
    "procedure_open", 409, "Un dossier est déjà ouvert", "Continuez le dossier ouvert (GET /v1/procedures)."
)
PROCEDURE_NOT_NEEDED = problem(
    "procedure_not_needed",
    409,
    "Aucun jugement n'est nécessaire",
    "La naissance est déclarée dans les délais : enregistrez-la.",
)


@dataclass(frozen=True, slots=True)
class Opening:
    """What the clerk says: the path (None: the one the date of birth calls for), court, who asks, campaign (id)."""

    path: str | None
    court: str | None
    requester: str | None
    campaign: str | None
    note: str | None


def open_procedure(
    connection: sa.Connection, door: Door, officer: Officer, *, birth: str, said: Opening, today: date
) -> File:
    """Open the file of a birth on `today`, in the caller's transaction.

    Raises `birth_unknown` 404, `other_commune` 403, `declaration_void` 409, `already_registered` 409,
    `procedure_open` 409, `procedure_not_needed` 409, `campaign_unknown` 404, `invalid_input` 422.
    """
    lock_door(connection)
    require_caught_up(connection)
    row = birth_row(connection, birth)
    commune = door.areas.commune(door.areas.code(row["area"]))
    require(officer, commune, node_kind=door.standing.kind)
    state = births_of(connection, door, [row["id"]])[row["id"]]
    _require_openable(connection, state)
    values: dict[str, Any] = {
        "birth": state.id,
        "commune": commune,
        "office": state.values.get("office"),
        "path": _path(said.path, state, today=today),
        "court": said.court,
        "requester": said.requester,
        "note": said.note,
        "opened_on": today.isoformat(),
        "opened_by": officer.id,
    }
    values["court_kind"] = court_for(values, state, today=today).code or UNDETERMINED
    operations = []
    if said.campaign is not None:
        joined = campaign_row(connection, said.campaign, commune=commune)
        values |= joining(joined, state, asked_on=today)
        operations += name_campaign(connection, row, joined)
    identity = str(uuid.uuid4())
    kept = {name: value for name, value in values.items() if value is not None}
    operations.insert(0, {"kind": "procedure", "id": identity, "new": True, "set": kept})
    door.write(connection, operations, by=officer.id)
    return open_file(connection, door, officer, procedure=identity)


def joining(joined: Mapping[str, Any], birth: BirthState, *, asked_on: date) -> dict[str, Any]:
    """What a file keeps of the campaign it joins; an undetermined waiver is none yet."""
    return {"campaign": joined["id"], "fee_waived": waiver(joined, birth, asked_on=asked_on).yes}


def name_campaign(
    connection: sa.Connection, birth: Mapping[str, Any], joined: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The declaration names the campaign too, unless it names one already: acts are counted by it."""
    if birth["campaign"] is not None or joined["name"] is None:
        return []
    return [change(connection, "birth", birth, values={"campaign": joined["name"]})]


def _require_openable(connection: sa.Connection, birth: BirthState) -> None:
    if birth.void:
        raise DECLARATION_VOID()
    if birth.act is not None:
        raise ALREADY_REGISTERED(act=birth.act)
    table = late_procedure.c
    held = sa.select(table.id).where(table.birth == birth.id, table.closed_on.is_(None)).limit(1)
    if (found := connection.scalar(held)) is not None:
        raise PROCEDURE_OPEN(procedure=found)
    answer = delay(birth.values)
    if not judgment_needed(answer.delay, birth.values.get("mode")):
        raise PROCEDURE_NOT_NEEDED(answer.rule)


def _path(wanted: str | None, birth: BirthState, *, today: date) -> str:
    """A judgment is always a way; the other one only for whom the law's data allow it, and then it is the usual one."""
    answer = late_path(birth.days(today), today)
    if wanted is None:
        return answer.path or "judgment"
    if wanted != "judgment" and answer.path not in (None, wanted):
        raise refuse([{"field": "path", "message": answer.rule}])
    return wanted
