"""REST calls of the draft of an act: drawing it up, showing it, noting that it was read back."""

from __future__ import annotations

import json
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Response

from app.access.guards import allow
from app.access.headers import IdempotencyKey
from app.access.jurisdiction import require
from app.access.officers import Officer
from app.access.permissions import Permission
from app.civil.declaration import delay
from app.civil.desk import BirthId, Config, Once, Store, TheDoor, journal, json_answer, require_birth_id
from app.civil.drafting.drafts import (
    DRAFT_UNKNOWN,
    Reading,
    Row,
    draw_up,
    facts_of,
    is_stale,
    latest,
    read_back,
)
from app.civil.drafting.schemas import DraftIn, DraftOut, ReadingIn
from app.civil.finding import birth_row
from app.civil.plausibility import PEOPLE, look_over
from app.civil.registration import Entry
from app.civil.today import day_of_registration
from app.ledger.door import Door

router = APIRouter(prefix="/v1", tags=["État civil"])


@router.post(
    "/births/{birth_id}/draft", status_code=201, response_model=DraftOut, summary="Établir le projet d'acte"
)
def draw_up_draft(
    birth_id: BirthId,
    body: DraftIn,
    officer: Annotated[Officer, Depends(allow(Permission.DECLARE))],
    *,
    store: Store,
    door: TheDoor,
    config: Config,
    key: IdempotencyKey = None,
) -> Response:
    """Rédige le texte de l'acte, dates et heures en toutes lettres, à relire au déclarant avant la signature.

    Un nouveau projet remplace l'ancien. Mêmes refus qu'à l'enregistrement : 409 `already_registered`, `clock_unsure`,
    `declaration_contested`, `declaration_void` ; 422 `judgment_required`, `declaration_doubtful`.
    """
    require_birth_id(birth_id)
    route = f"POST /v1/births/{birth_id}/draft"
    once = Once(officer, key, route=route, body=body.model_dump_json(exclude_unset=True).encode())
    judgment = body.judgment.model_dump() if body.judgment is not None else None
    entry = Entry(body.office, body.volume, body.folio, judgment)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        row = draw_up(connection, door, officer, birth=birth_id, entry=entry, today=today)
        return once.keep(connection, door, _shown(connection, door, row))


@router.get("/births/{birth_id}/draft", response_model=DraftOut, summary="Le projet d'acte d'une naissance")
def read_draft(
    birth_id: BirthId,
    officer: Annotated[Officer, Depends(allow(Permission.READ_CIVIL))],
    store: Store,
    *,
    door: TheDoor,
) -> Response:
    """Le dernier projet, avec son texte ; `stale` si la déclaration a changé depuis. Inscrit au journal.

    404 `birth_unknown`, `draft_unknown`.
    """
    require_birth_id(birth_id)
    with store.write() as connection:
        stored = birth_row(connection, birth_id)
        commune = door.areas.commune(door.areas.code(stored["area"]))
        require(officer, commune, node_kind=door.standing.kind)
        row = latest(connection, stored["id"])
        if row is None:
            raise DRAFT_UNKNOWN()
        people = [stored[name] for name in PEOPLE if stored[name] is not None]
        journal(
            connection,
            door,
            officer,
            births=[stored["id"]],
            persons=people,
            commune=commune,
            route="GET /v1/births/{id}/draft",
        )
        shown = _shown(connection, door, row)
    return json_answer(200, shown.model_dump_json())


@router.post(
    "/births/{birth_id}/draft/reading",
    status_code=201,
    response_model=DraftOut,
    summary="Inscrire la lecture du projet d'acte",
)
def note_reading(
    birth_id: BirthId,
    body: ReadingIn,
    officer: Annotated[Officer, Depends(allow(Permission.DECLARE))],
    store: Store,
    *,
    door: TheDoor,
    key: IdempotencyKey = None,
) -> Response:
    """À qui le projet a été lu, en quelle langue et par quel interprète ; une seconde lecture remplace la première.

    404 `draft_unknown` ; 409 `draft_stale` si la déclaration a changé, `already_registered` une fois signé.
    """
    require_birth_id(birth_id)
    route = f"POST /v1/births/{birth_id}/draft/reading"
    once = Once(officer, key, route=route, body=body.model_dump_json(exclude_unset=True).encode())
    reading = Reading(body.to, body.language, body.interpreter, body.remarks)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        row = read_back(connection, door, officer, birth=birth_id, reading=reading)
        return once.keep(connection, door, _shown(connection, door, row))


def _shown(connection: sa.Connection, door: Door, row: Row) -> DraftOut:
    stored = birth_row(connection, row["birth"])
    values = door.registry.shapes["birth"].clean_values(stored)
    columns = {name: row[name] for name in DraftOut.model_fields if name in row}
    return DraftOut.model_validate(
        columns
        | {
            "birth": stored["id"],
            "read_to": json.loads(row["read_to"]) if row["read_to"] else None,
            "judgment": facts_of(row).get("judgment"),
            "stale": is_stale(row, values),
            "warnings": look_over(connection, door, values, answer=delay(values), birth=stored["id"]),
        }
    )
