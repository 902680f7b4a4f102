"""The REST call that tells who read a person's data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import PlainTextResponse

from app.access.guards import allow
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.civil.desk import Store, TheDoor, json_answer
from app.civil.readers.readings import readings_of_person, seen_person, told_in_french
from app.civil.readers.schemas import ReadingOut
from app.ledger.desk import Desk
from app.population.endpoints import Id

ROUTE = "GET /v1/persons/{id}/readers"

router = APIRouter(prefix="/v1", tags=["Population"])


@router.get(
    "/persons/{id}/readers",
    response_model=Page[ReadingOut],
    summary="Qui a lu les données d'une personne",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def read_readers(
    identity: Id,
    officer: Annotated[Officer, Depends(allow(Permission.READERS))],
    store: Store,
    *,
    door: TheDoor,
    form: Annotated[
        Literal["json", "text"] | None,
        Query(alias="format", description="text = à imprimer pour la personne.", examples=["text"]),
    ] = None,
    accept: Annotated[
        str | None,
        Header(description="text/plain donne le texte à imprimer.", examples=["text/plain"]),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Chaque lecture de sa fiche, des fiches fusionnées avec elle et de sa naissance : qui, quand, pourquoi.

    Le texte donne tout, la liste va par pages. Cette lecture est elle-même inscrite au journal : 428
    `purpose_required` sans motif, de la session ou de l'en-tête Purpose. 404 `person_not_found`.
    """
    at = door.clock.clock.now()
    desk = Desk(door, officer, door.standing.kind, at, ROUTE)
    printed = form == "text" or (form is None and (accept or "").startswith("text/plain"))
    with store.write() as connection:
        row = seen_person(connection, desk, identity)
        asked = {"after": _after(cursor), "limit": limit + 1} if not printed else {}
        found = readings_of_person(connection, row, **asked)
        desk.journal(connection, [row])
    if printed:
        return PlainTextResponse(told_in_french(row, found, at=at))
    more = encode_cursor(found[limit - 1].id) if len(found) > limit else None
    items = [ReadingOut.model_validate(asdict(each)) for each in found[:limit]]
    return json_answer(200, Page[ReadingOut](items=items, next=more).model_dump_json())


def _after(cursor: str | None) -> int:
    after = decode_cursor(cursor, int)[0] if cursor is not None else 0
    if not 0 <= after < 1 << 63:
        raise BAD_CURSOR()
    return int(after)
