"""The sync calls of devices and servers, and the trays of supervisors and clerks, over HTTP."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials

from app.access import journal
from app.access.jurisdiction import communes_of
from app.access.officers import Officer, find_username
from app.access.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import BEARER, Permission, allow, clock, database, device, node_kind
from app.access.permissions import settings as node_settings
from app.clock import Clock, stamp
from app.database import Database
from app.errors import BUSY, Problem
from app.ledger import enrolment, sessions
from app.ledger.door import Door
from app.ledger.feed import PAGE_BYTES, Feed, areas_of, read_positions
from app.ledger.history import history
from app.ledger.relay import accept_bundle
from app.ledger.schemas import (
    Conflict,
    DeviceOut,
    EnrolmentIn,
    EnrolmentOut,
    Hello,
    InvitationIn,
    InvitationOut,
    QuarantineOut,
    Receipt,
    SessionIn,
    SessionOut,
    StatusOut,
)
from app.ledger.senders import Sender
from app.ledger.standing import devices, ranges_of, status
from app.ledger.tables import batch, conflict, origin, quarantine
from app.settings import Settings
from sync.protocol import BATCH_BYTES, BATCH_OPERATIONS, PROTOCOL_VERSION

sync_router = APIRouter(prefix="/sync/v1", tags=["Synchronisation"], dependencies=[Depends(device())])
router = APIRouter(prefix="/v1", tags=["Suivi de la synchronisation"])
NDJSON = "application/x-ndjson"
Store = Annotated[Database, Depends(database)]
Now = Annotated[Clock, Depends(clock)]
Kind = Annotated[str, Depends(node_kind)]
Config = Annotated[Settings, Depends(node_settings)]


class Turnstile:
    """How many batches are worked on at once, and how many may wait: the rest are told when to come again."""

    def __init__(self, *, working: int, waiting: int) -> None:
        self._work = threading.BoundedSemaphore(working)
        self._room = threading.BoundedSemaphore(working + waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raise `busy` (503, Retry-After) when the queue is full."""
        if not self._room.acquire(blocking=False):
            raise BUSY(headers={"Retry-After": "5"})
        try:
            with self._work:
                yield
        finally:
            self._room.release()


def the_door(request: Request) -> Door:
    """The node's door (a FastAPI dependency)."""
    found: Door = request.app.state.door
    return found


def turnstile(request: Request) -> Turnstile:
    """The node's turnstile (a FastAPI dependency)."""
    found: Turnstile = request.app.state.turnstile
    return found


TheDoor = Annotated[Door, Depends(the_door)]
Turns = Annotated[Turnstile, Depends(turnstile)]


def calling_device(
    store: Store, now: Now, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> Sender:
    """The device behind the bearer token; raises `session_required` (401)."""
    if bearer is not None:
        with store.read() as connection:
            sender = sessions.session_device(connection, bearer.credentials, at=now.now())
        if sender is not None:
            return sender
    raise sessions.SESSION_REQUIRED(headers={"WWW-Authenticate": "Bearer"})


Caller = Annotated[Sender, Depends(calling_device)]


@sync_router.get("/hello", summary="Qui est ce serveur")
def hello(door: TheDoor, now: Now, response: Response) -> Hello:
    """Sans connexion, jamais mis en cache. `key` n'est qu'un indice : seul `node_cert` fait foi."""
    response.headers["Cache-Control"] = "no-store"
    standing, at = door.standing, now.now()
    name = door.territory.commune_names.get(standing.commune or "", "Province de Kinshasa")
    return Hello.model_validate(
        {
            "node": door.identity.dev,
            "kind": standing.kind,
            "name": name,
            "time": stamp(at),
            "protocols": [PROTOCOL_VERSION],
            "feed": door.identity.feed,
            "key": door.identity.key.public.jwk(),
            "node_cert": standing.node_cert,
            "nonce": sessions.make_nonce(door, at),
            "advice": {"batch_bytes": BATCH_BYTES, "batch_operations": BATCH_OPERATIONS},
            "demo": standing.demo,
        }
    )


@sync_router.post("/enrolments", status_code=201, summary="Enrôler un appareil")
def enrol(body: EnrolmentIn, door: TheDoor, store: Store, *, now: Now, settings: Config) -> EnrolmentOut:
    """Code d'invitation et preuve contre une autorisation ; le même code avec la même clé donne la même réponse."""
    asked = enrolment.Request(body.code, body.public_key, body.name, body.proof, body.dev, body.demo)
    try:
        with store.write() as connection:
            answer = enrolment.enrol(
                connection,
                door,
                asked,
                at=now.now(),
                grant_days=settings.grant_days,
                tries=settings.invitation_tries,
            )
    except Problem as refused:
        if refused.type is enrolment.BAD_PROOF:
            with store.write() as connection:
                enrolment.count_try(connection, body.code)
        raise
    return EnrolmentOut.model_validate(answer)


@sync_router.post(
    "/batches",
    summary="Envoyer un lot scellé",
    response_model=Receipt,
    openapi_extra={"requestBody": {"required": True, "content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def push(
    request: Request,
    door: TheDoor,
    turns: Turns,
    batch_signature: Annotated[
        str, Header(description="<en-tête>..<signature> (JWS détaché, typ batch).")
    ] = "",
    device_grant: Annotated[str, Header(description="Autorisation, si le serveur la demande.")] = "",
) -> Response:
    """Dès que la signature est bonne, la réponse est un reçu, enregistré avant d'être envoyé."""
    data = await request.body()

    def accept() -> Response:
        with turns.turn():
            receipt = door.accept(data, batch_signature, grant=device_grant or None)
        return Response(
            receipt.text, media_type="application/json", headers={"Receipt-Signature": receipt.signature}
        )

    return await run_in_threadpool(accept)


@sync_router.post("/sessions", status_code=201, summary="Ouvrir la session d'un appareil")
def open_session(body: SessionIn, door: TheDoor, store: Store, *, now: Now, settings: Config) -> SessionOut:
    """L'appareil signe {dev, aud, nonce} ; le nonce de `hello` ne sert qu'une fois."""
    with store.write() as connection:
        opened = sessions.open_session(
            connection,
            door,
            body.assertion,
            at=now.now(),
            minutes=settings.device_session_minutes,
            grant_days=settings.grant_days,
        )
    return SessionOut(token=opened.token, expires_in=opened.expires_in, grant=opened.grant)


@sync_router.get("/status", summary="Ce que ce serveur a reçu de l'appareil")
def device_status(sender: Caller, store: Store) -> dict[str, Any]:
    """Par époque : reçu sans trou jusqu'à `through`, et les trous. Jamais une permission d'effacer."""
    with store.read() as connection:
        return ranges_of(connection, sender.dev)


@sync_router.get("/changes", summary="Les fiches des zones de l'appareil", response_class=Response)
def changes(
    sender: Caller,
    store: Store,
    door: TheDoor,
    after: Annotated[
        list[str] | None, Query(max_length=500, description="<zone>:<position>, une par zone.")
    ] = None,
    limit_bytes: Annotated[int, Query(ge=1, description="Taille voulue de la page.")] = PAGE_BYTES,
) -> Response:
    """NDJSON ; la dernière ligne porte `after`, `more`, `feed` et `have`. 409 `feed_changed` après une restauration."""
    with store.read() as connection:
        positions = read_positions(after or [], areas_of(sender, door.areas, door.territory.communes))
        lines = b"".join(Feed(connection, door, sender).page(positions, limit_bytes))
    return Response(lines, media_type=NDJSON, headers={"Cache-Control": "no-store"})


@sync_router.get("/receipts", summary="Les reçus des lots de l'appareil", response_class=Response)
def receipts(
    sender: Caller,
    store: Store,
    ep: Annotated[int, Query(ge=0, lt=2**32, description="Époque.")],
    from_: Annotated[int, Query(alias="from", ge=1, lt=2**53, description="Premier numéro d'opération.")] = 1,
) -> Response:
    """Reçus de ce serveur et de la province, transmis tels quels : `{"receipt": base64url, "signature"}` par ligne."""
    query = (
        sa.select(
            batch.c.receipt, batch.c.receipt_signature, batch.c.province_receipt, batch.c.province_signature
        )
        .join(origin, origin.c.id == batch.c.origin)
        .where(origin.c.dev == sender.dev, origin.c.ep == ep, batch.c.to_n >= from_)
        .order_by(batch.c.from_n, batch.c.id)
    )
    lines = []
    with store.read() as connection:
        for row in connection.execute(query):
            lines += [
                orjson.dumps(
                    {
                        "receipt": base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode(),
                        "signature": signature,
                    }
                )
                for text, signature in ((row[0], row[1]), (row[2], row[3]))
                if text
            ]
    return Response(b"".join(line + b"\n" for line in lines), media_type=NDJSON)


@sync_router.post(
    "/bundles",
    summary="Envoyer beaucoup de lots à la fois",
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def bundles(request: Request, door: TheDoor, turns: Turns) -> Response:
    """De serveur à serveur, ou d'une clé USB : compte jusqu'au dernier enregistrement entier ; répond par les reçus."""
    data = await request.body()

    def accept() -> Response:
        with turns.turn():
            return Response(accept_bundle(door, data), media_type="application/octet-stream")

    return await run_in_threadpool(accept)


# -- trays and follow-up, for officers ---------------------------------------------------------------------------


@router.get("/conflicts", summary="Les valeurs qui se contredisent")
def conflicts(
    officer: Annotated[Officer, Depends(allow(Permission.READ_CONFLICTS))],
    store: Store,
    door: TheDoor,
    *,
    kind: Kind,
    now: Now,
    area: Annotated[str | None, Query(max_length=64, description="Zone.", examples=["1017010"])] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Conflict]:
    """Du plus lourd au plus léger, puis du plus ancien au plus récent ; chaque valeur avec auteur, appareil et preuve."""
    query = _visible(sa.select(conflict), conflict.c.area, officer, door, kind=kind, area=area)
    query = query.order_by(conflict.c.weight.desc(), conflict.c.opened_at, conflict.c.id, conflict.c.register)
    start = decode_cursor(cursor, int)[0] if cursor else 0
    with store.write() as connection:
        rows = connection.execute(query.offset(max(start, 0)).limit(limit + 1)).mappings().all()
        items = [_conflict(connection, door, row) for row in rows[:limit]]
        journal.record_read(
            connection,
            officer,
            kind="conflict",
            subjects=sorted({row["id"] for row in rows[:limit]}),
            commune=officer.commune,
            route="GET /v1/conflicts",
            at=now.now(),
        )
    return Page[Conflict](items=items, next=encode_cursor(start + limit) if len(rows) > limit else None)


def _conflict(connection: sa.Connection, door: Door, row: Any) -> Conflict:
    shape = door.registry.shape(row["kind"])
    stored = (
        connection.execute(sa.select(shape.table).where(shape.table.c.id == row["id"])).mappings().first()
    )
    known = history(connection, shape.kind, stored) if stored is not None else {}
    return Conflict.model_validate(
        {
            **{name: row[name] for name in ("kind", "id", "register", "weight", "opened_at")},
            "area": door.areas.code(row["area"]),
            "values": [each for each in known.get(row["register"], []) if each["live"]],
        }
    )


def _visible(
    query: sa.Select[Any],
    column: sa.ColumnElement[Any],
    officer: Officer,
    door: Door,
    *,
    kind: str,
    area: str | None,
) -> sa.Select[Any]:
    communes = communes_of(officer, kind)
    if communes is not None:
        query = query.where(column.in_(door.areas.ids_of(communes)))
    if area is not None:
        query = query.where(column == door.areas.id(area))
    return query


@router.get("/quarantine", summary="Les lignes mises de côté")
def quarantined(
    officer: Annotated[Officer, Depends(allow(Permission.READ_QUARANTINE))],
    store: Store,
    door: TheDoor,
    *,
    kind: Kind,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[QuarantineOut]:
    """Gardées et visibles, jamais comptées ; la plus récente d'abord."""
    query = _visible(sa.select(quarantine), quarantine.c.area, officer, door, kind=kind, area=None)
    if cursor:
        query = query.where(quarantine.c.id < decode_cursor(cursor, int)[0])
    with store.read() as connection:
        rows = connection.execute(query.order_by(quarantine.c.id.desc()).limit(limit + 1)).mappings().all()
    items = [
        QuarantineOut.model_validate({**row, "line": row["line"][:4096].decode(errors="replace")})
        for row in rows[:limit]
    ]
    return Page[QuarantineOut](
        items=items, next=encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    )


@router.get("/devices", summary="Les appareils")
def read_devices(
    officer: Annotated[Officer, Depends(allow(Permission.READ_DEVICES, Permission.OWN_DEVICES))],
    store: Store,
    door: TheDoor,
    *,
    kind: Kind,
    now: Now,
) -> Page[DeviceOut]:
    """Un agent ne voit que les siens ; un superviseur ceux de sa commune, ou tous à la province."""
    own = officer.id if officer.role == "agent" else None
    communes = None if own else communes_of(officer, kind)
    with store.read() as connection:
        found = devices(connection, now=now.now(), agent=own, communes=communes, door=door)
    return Page[DeviceOut](items=[DeviceOut.model_validate(each) for each in found])


@router.post("/invitations", status_code=201, summary="Inviter un appareil")
def create_invitation(
    body: Annotated[InvitationIn, Body()],
    _admin: Annotated[Officer, Depends(allow(Permission.INVITE))],
    store: Store,
    door: TheDoor,
    *,
    now: Now,
    settings: Config,
    request: Request,
) -> InvitationOut:
    """Le code n'est montré qu'une fois ; il vaut quelques minutes et un seul appareil."""
    with store.write() as connection:
        invited = find_username(connection, body.agent)
        made = enrolment.invite(
            connection,
            door,
            agent=invited.id,
            role=invited.role,
            areas=body.areas,
            at=now.now(),
            minutes=settings.invitation_minutes,
        )
    url = settings.public_url or str(request.base_url).rstrip("/")
    return InvitationOut(
        url=url, code=made.code, province=door.standing.province or "", expires_at=made.expires_at
    )


@router.get("/status", summary="L'état du nœud")
def node_status(
    _admin: Annotated[Officer, Depends(allow(Permission.STATUS))], store: Store, door: TheDoor
) -> StatusOut:
    """Des nombres seulement : aucune personne, aucune statistique."""
    with store.read() as connection:
        return StatusOut.model_validate(status(connection, door, schema=None))
