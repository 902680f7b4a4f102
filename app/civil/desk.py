"""What every REST call of civil registration shares: the door, the Idempotency-Key, the communes and the page asked,
and the journal of what was read. Has no route of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel

from app.access.guards import database, settings
from app.access.idempotency import StoredAnswer, body_hash, remember, replayed
from app.access.journal import record_read
from app.access.jurisdiction import communes_of, require
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Position, decode_cursor
from app.civil.finding import BIRTH_UNKNOWN
from app.database import Database
from app.errors import problem
from app.ledger.door import Door
from app.settings import Settings
from app.territory.places import COMMUNE_UNKNOWN
from sync.catalogue import is_uuid4

IDEMPOTENCY_KEY_REQUIRED = problem(
    "idempotency_key_required",
    400,
    "Clé de répétition manquante",
    "Envoyez l'en-tête Idempotency-Key : la même clé redonne la même réponse.",
)

Store = Annotated[Database, Depends(database)]
Config = Annotated[Settings, Depends(settings)]
BirthId = Annotated[str, Path(max_length=100, description="Identifiant de la déclaration.")]
CommuneFilter = Annotated[
    str | None, Query(max_length=40, description="Code de la commune.", examples=["CD-KN-017"])
]


def the_door(request: Request) -> Door:
    """The node's door (a FastAPI dependency)."""
    found: Door = request.app.state.door
    return found


async def raw_body(request: Request) -> bytes:
    """The request's body as sent (a FastAPI dependency); its size was bounded before."""
    return await request.body()


TheDoor = Annotated[Door, Depends(the_door)]
Raw = Annotated[bytes, Depends(raw_body)]


class Once:
    """One write of one officer under his Idempotency-Key: asks for the answer of the first time, and keeps it."""

    def __init__(self, officer: Officer, key: str | None, *, route: str, body: bytes) -> None:
        self.officer, self.key, self.route, self.hash = officer, key, route, body_hash(body)

    def before(self, connection: sa.Connection) -> Response | None:
        """The first answer again, None the first time or without a key."""
        if self.key is None:
            return None
        stored = replayed(
            connection, officer=self.officer, key=self.key, route=self.route, body_hash=self.hash
        )
        return json_answer(stored.status, stored.body, headers=stored.headers) if stored is not None else None

    def keep(self, connection: sa.Connection, door: Door, answer: BaseModel) -> Response:
        """Answer 201, remembered in the transaction of the write itself."""
        body = answer.model_dump_json(by_alias=True)
        if self.key is not None:
            remember(
                connection,
                StoredAnswer(201, body),
                officer=self.officer,
                key=self.key,
                route=self.route,
                body_hash=self.hash,
                at=door.clock.clock.now(),
            )
        return json_answer(201, body)


def communes_asked(officer: Officer, door: Door, *, commune: str | None) -> frozenset[str] | None:
    """The communes a list is limited to; raises `commune_unknown` (404) or `other_commune` (403)."""
    if commune is None:
        return communes_of(officer, door.standing.kind)
    if commune not in door.territory.communes:
        raise COMMUNE_UNKNOWN(f"Aucune commune ne porte le code « {commune} ».")
    require(officer, commune, node_kind=door.standing.kind)
    return frozenset({commune})


def require_birth_id(birth: str) -> None:
    """Raise `birth_unknown` (404) for what is no identifier of a declaration."""
    if not is_uuid4(birth):
        raise BIRTH_UNKNOWN()


def position(cursor: str | None) -> Position | None:
    """Where a page of births or tasks begins; raises `bad_cursor` (400) for a cursor of no such list."""
    if cursor is None:
        return None
    area, seq, identity = decode_cursor(cursor, int, int, str)
    if not is_uuid4(identity) or abs(area) >= 1 << 31:
        raise BAD_CURSOR()
    return (area, seq, identity)


def journal(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    births: list[str],
    persons: list[str],
    commune: str | None,
    route: str,
) -> None:
    """Write into the journal whose data this call showed (ids of births and of persons)."""
    at = door.clock.clock.now()
    for kind, subjects in (("birth", births), ("person", persons)):
        record_read(connection, officer, kind=kind, subjects=subjects, commune=commune, route=route, at=at)


def json_answer(status: int, body: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """An answer whose JSON text is written already."""
    return Response(body, status, headers=dict(headers or {}), media_type="application/json")
