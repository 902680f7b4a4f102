"""The sync calls of devices and servers over HTTP (protocol section 5). What they do stands beside their rules."""

from __future__ import annotations

import base64
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials

from app.access.guards import BEARER, clock, database, device
from app.access.guards import settings as node_settings
from app.clock import Clock, stamp
from app.database import Database
from app.errors import Problem
from app.ledger import enrolment, sessions
from app.ledger.door import Door
from app.ledger.feed import LEAST_BYTES, MOST_BYTES, PAGE_BYTES, Feed, areas_of, read_positions
from app.ledger.keeping import is_heard, receipts_of
from app.ledger.operations import MOST_HAVE, Operations, areas_of_commune, read_have
from app.ledger.packs import Packs
from app.ledger.relay import accept_bundle
from app.ledger.schemas import EnrolmentIn, EnrolmentOut, Hello, PackOut, Receipt, SessionIn, SessionOut
from app.ledger.senders import Sender
from app.ledger.sending import send_file
from app.ledger.standing import ranges_of
from app.ledger.turnstile import Turnstile
from app.settings import Settings
from sync.protocol import BATCH_BYTES, BATCH_OPERATIONS, PROTOCOL_VERSION

# SHA-256 of a batch and when it was receipted.
HEARD = r"^[0-9a-f]{64}:[0-9TZ:.-]{1,30}$"
router = APIRouter(prefix="/sync/v1", tags=["Synchronisation"], dependencies=[Depends(device())])
NDJSON = "application/x-ndjson"
GZIP = "application/gzip"
# What a crowded node advises: more devices get their turn, and none waits for another's long batch.
CROWDED_BYTES, CROWDED_OPERATIONS = 128 << 10, 1000
SEALED = {
    "schema": {"type": "string", "description": "Lot scellé : l'en-tête, puis une opération par ligne."},
    "example": '{"v":1,"dev":"7b0c…","ep":77,"from":1,"to":1,"prev":null,"by":"6f9a…"}\n'
    '{"kind":"person","id":"0c0b…","new":true,"set":{"nom":"Mbuyi"}}\n',
}
BUNDLED = {
    "schema": {"type": "string", "description": "Enregistrements : un en-tête JSON, puis ses octets."},
    "example": '{"type":"batch","len":128,"signature":"eyJ…..MEU…"}\n…\n',
}


def _sent(media_type: str, description: str) -> dict[str, Any]:
    """How an answer that is no JSON document is described."""
    content = {media_type: {"schema": {"type": "string", "description": description}}}
    return {"description": "Réponse.", "content": content}


LINES: dict[int | str, dict[str, Any]] = {200: _sent(NDJSON, "Un objet JSON par ligne.")}
PACKED: dict[int | str, dict[str, Any]] = {
    200: _sent(GZIP, "Le paquet entier."),
    206: _sent(GZIP, "Le passage demandé par Range."),
}
RECEIVED: dict[int | str, dict[str, Any]] = {
    200: _sent("application/octet-stream", "Les reçus, en enregistrements comme ceux de la demande.")
}
Store = Annotated[Database, Depends(database)]
Now = Annotated[Clock, Depends(clock)]
Config = Annotated[Settings, Depends(node_settings)]


async def the_door(request: Request) -> Door:
    """The node's door (a FastAPI dependency; async, so that no thread is asked for it)."""
    found: Door = request.app.state.door
    return found


async def turnstile(request: Request) -> Turnstile:
    """The turnstile before the door (a FastAPI dependency; async, so that no thread is asked for it)."""
    found: Turnstile = request.app.state.turnstile
    return found


async def reading(request: Request) -> Turnstile:
    """The turnstile before long answers (a FastAPI dependency)."""
    found: Turnstile = request.app.state.reading
    return found


def the_packs(request: Request) -> Packs:
    """The node's packs (a FastAPI dependency)."""
    found: Packs = request.app.state.packs
    return found


TheDoor = Annotated[Door, Depends(the_door)]
Turns = Annotated[Turnstile, Depends(turnstile)]
Reading = Annotated[Turnstile, Depends(reading)]
ThePacks = Annotated[Packs, Depends(the_packs)]


def calling_device(
    request: Request,
    store: Store,
    *,
    now: Now,
    door: TheDoor,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Sender:
    """The device behind the bearer token; raises `session_required` (401), `revoked` (403) or `too_many_requests`."""
    if bearer is not None:
        with store.read() as connection:
            sender = sessions.session_device(connection, door, bearer.credentials, at=now.now())
        if sender is not None:
            request.app.state.device_pace.take(sender.dev, now.now())
            return sender
    raise sessions.SESSION_REQUIRED(headers={"WWW-Authenticate": "Bearer"})


Caller = Annotated[Sender, Depends(calling_device)]


@router.get("/hello", summary="Qui est ce serveur", response_model_exclude_unset=True)
def hello(
    door: TheDoor,
    now: Now,
    *,
    turns: Turns,
    store: Store,
    response: Response,
    heard: Annotated[
        str | None,
        Query(
            pattern=HEARD, description="<sha256>:<received_at> d'un reçu de ce serveur : le tient-il encore ?"
        ),
    ] = None,
) -> Hello:
    """Sans connexion, jamais mis en cache. `key` n'est qu'un indice : seul `node_cert` fait foi."""
    response.headers["Cache-Control"] = "no-store"
    holds: dict[str, bool] = {}
    if heard is not None:
        with store.read() as connection:
            holds["holds"] = is_heard(connection, heard)
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
            "advice": {
                "batch_bytes": CROWDED_BYTES if turns.crowded else BATCH_BYTES,
                "batch_operations": CROWDED_OPERATIONS if turns.crowded else BATCH_OPERATIONS,
            },
            "demo": standing.demo,
            **holds,
        }
    )


@router.post("/enrolments", status_code=201, summary="Enrôler un appareil")
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


@router.post(
    "/batches",
    summary="Envoyer un lot scellé",
    response_model=Receipt,
    openapi_extra={"requestBody": {"required": True, "content": {NDJSON: SEALED}}},
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

    receipt = await turns.turn(lambda: door.accept(data, batch_signature, grant=device_grant or None))
    headers = {"Receipt-Signature": receipt.signature}
    return Response(receipt.text, media_type="application/json", headers=headers)


@router.post("/sessions", status_code=201, summary="Ouvrir la session d'un appareil")
async def open_session(
    body: SessionIn,
    door: TheDoor,
    *,
    store: Store,
    now: Now,
    settings: Config,
    turns: Turns,
    device_grant: Annotated[str, Header(description="Autorisation, si le serveur la demande.")] = "",
) -> SessionOut:
    """L'appareil signe {dev, aud, nonce} ; le nonce de `hello` ne sert qu'une fois."""

    def work() -> sessions.Opened:
        with store.write() as connection:
            return sessions.open_session(
                connection,
                door,
                body.assertion,
                grant=device_grant or None,
                at=now.now(),
                minutes=settings.device_session_minutes,
                grant_days=settings.grant_days,
            )

    opened = await turns.turn(work)
    return SessionOut(token=opened.token, expires_in=opened.expires_in, grant=opened.grant)


@router.get("/status", summary="Ce que ce serveur a reçu de l'appareil")
def device_status(sender: Caller, store: Store) -> dict[str, Any]:
    """Par époque : reçu sans trou jusqu'à `through`, et les trous. Jamais une permission d'effacer."""
    with store.read() as connection:
        return ranges_of(connection, sender.dev)


@router.get(
    "/changes", summary="Les fiches des zones de l'appareil", response_class=Response, responses=LINES
)
async def changes(
    sender: Caller,
    store: Store,
    *,
    door: TheDoor,
    turns: Reading,
    after: Annotated[
        list[str] | None, Query(max_length=500, description="<zone>:<position>, une par zone.")
    ] = None,
    limit_bytes: Annotated[int, Query(ge=1, description="Taille voulue de la page.")] = PAGE_BYTES,
) -> Response:
    """NDJSON ; la dernière ligne porte `after`, `more`, `feed` et `have`. 409 `feed_changed` après une restauration."""

    def work() -> bytes:
        with store.read() as connection:
            granted = _granted(door, sender)
            positions = read_positions(after or [], granted)
            return b"".join(Feed(connection, door, sender, granted=granted).page(positions, limit_bytes))

    return Response(await turns.turn(work), media_type=NDJSON, headers={"Cache-Control": "no-store"})


def _granted(door: Door, sender: Sender) -> list[str]:
    return areas_of(sender, door.areas, communes=door.territory.communes)


@router.get("/packs", summary="Les zones en un fichier, pour un premier chargement")
async def packs(
    sender: Caller, door: TheDoor, *, kept: ThePacks, turns: Reading, response: Response
) -> list[PackOut]:
    """Les paquets des zones de l'appareil ; la suite par `changes` depuis leur `after`, les autres zones depuis 0."""
    response.headers["Cache-Control"] = "no-store"
    found = await turns.turn(lambda: kept.offered(sender, _granted(door, sender)))
    return [PackOut.model_validate(each.offer()) for each in found]


@router.get(
    "/packs/{sha256}",
    summary="Un paquet, entier ou par morceaux",
    response_class=Response,
    responses=PACKED,
)
def pack(
    sha256: Annotated[
        str, Path(max_length=64, description="SHA-256 du fichier.", examples=["9f86d081884c…"])
    ],
    sender: Caller,
    *,
    door: TheDoor,
    kept: ThePacks,
    range_: Annotated[str | None, Header(alias="Range", description="bytes=<début>-")] = None,
    if_range: Annotated[str | None, Header(description="L'ETag du morceau déjà reçu.")] = None,
) -> Response:
    """NDJSON compressé (gzip), immuable : les fiches, puis une ligne `{"after", "more", "feed"}`."""
    path = kept.path(sha256, sender, codes=_granted(door, sender))
    return send_file(path, GZIP, etag=sha256, asked=range_, if_range=if_range)


@router.get(
    "/operations", summary="Les opérations des zones d'une commune", response_class=Response, responses=LINES
)
def operations(
    sender: Caller,
    store: Store,
    door: TheDoor,
    after: Annotated[
        list[str] | None, Query(max_length=500, description="<zone>:<position>, une par zone.")
    ] = None,
    have: Annotated[
        list[str] | None,
        Query(max_length=MOST_HAVE, description="<appareil>:<époque>:<premier>-<dernier> : déjà tenues."),
    ] = None,
    limit_bytes: Annotated[int, Query(ge=1, description="Taille voulue de la page.")] = PAGE_BYTES,
) -> Response:
    """De serveur à serveur : NDJSON, une ligne par entité changée avec toutes ses opérations, sauf celles que
    l'appelant dit toutes tenir (`have`) ; signé en entier (`Answer-Signature`). Un appareil révoqué porte
    `chains` : ses lots, chacun avec le précédent. 409 `feed_changed` après une restauration."""
    with store.read() as connection:
        own = areas_of_commune(sender, door.areas, communes=door.territory.communes)
        positions = read_positions(after or [], own)
        asked = Operations(connection, door, sender, granted=own, have=read_have(have or []))
        body, signature = asked.answer(positions, min(max(limit_bytes, LEAST_BYTES), MOST_BYTES))
    headers = {"Answer-Signature": signature, "Cache-Control": "no-store"}
    return Response(body, media_type=NDJSON, headers=headers)


@router.get("/receipts", summary="Les reçus des lots de l'appareil", response_class=Response, responses=LINES)
def receipts(
    sender: Caller,
    store: Store,
    ep: Annotated[int, Query(ge=0, lt=2**32, description="Époque.")],
    from_: Annotated[int, Query(alias="from", ge=1, lt=2**53, description="Premier numéro d'opération.")] = 1,
) -> Response:
    """Reçus de ce serveur et de la province, transmis tels quels : `{"receipt": base64url, "signature"}` par ligne."""
    with store.read() as connection:
        found = receipts_of(connection, sender.dev, ep=ep, first=from_)
    lines = [
        orjson.dumps(
            {
                "receipt": base64.urlsafe_b64encode(each.text.encode()).rstrip(b"=").decode(),
                "signature": each.signature,
            }
        )
        for each in found
    ]
    return Response(b"".join(line + b"\n" for line in lines), media_type=NDJSON)


@router.post(
    "/bundles",
    summary="Envoyer beaucoup de lots à la fois",
    response_class=Response,
    responses=RECEIVED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": BUNDLED},
        }
    },
)
async def bundles(request: Request, door: TheDoor, turns: Turns) -> Response:
    """De serveur à serveur, ou d'une clé USB : compte jusqu'au dernier enregistrement entier ; répond par les reçus."""
    data = await request.body()

    answer = await turns.turn(lambda: accept_bundle(door, data))
    return Response(answer, media_type="application/octet-stream")
