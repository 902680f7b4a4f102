"""The trays of clerks and supervisors, the list of devices, invitations and the node's standing, over HTTP.
The sync calls are in app.ledger.exchange."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from app.access.guards import allow, clock, database, node_kind
from app.access.headers import IfMatch
from app.access.jurisdiction import communes_of
from app.access.officers import Officer, find_username
from app.access.paging import Cursor, Limit, Page
from app.access.permissions import Permission
from app.clock import KINSHASA, stamp
from app.ledger import cases, enrolment, revoking, supervision
from app.ledger.desk import Desk
from app.ledger.exchange import Config, Now, Store, TheDoor
from app.ledger.resolution import Decision, resolve
from app.ledger.schemas import (
    AreasIn,
    AreasOut,
    Conflict,
    ConflictFile,
    DeferredOut,
    DeviceOut,
    DoubtfulOut,
    EffectOut,
    InvitationIn,
    InvitationOut,
    QuarantineOut,
    ReleaseIn,
    ResolutionIn,
    Resolved,
    RevocationIn,
    StatusOut,
)
from app.ledger.standing import devices, status

router = APIRouter(prefix="/v1", tags=["Suivi de la synchronisation"])
Area = Annotated[str | None, Query(max_length=64, description="Zone.", examples=["1017010"])]
OfKind = Annotated[str | None, Query(max_length=100, description="Nature de la fiche.", examples=["person"])]
Dev = Annotated[
    str | None,
    Query(
        pattern="^[0-9a-f-]{36}$",
        description="Appareil.",
        examples=["7b0c5a52-8d0e-4c63-9a3b-0a2f5d1c9e44"],
    ),
]
DeviceId = Annotated[str, Path(max_length=100, description="Identifiant de l'appareil.")]
CaseId = Annotated[
    str,
    Path(
        alias="id",
        max_length=600,
        description="Identifiant du conflit (`conflict` de la liste).",
        examples=["WyJwZXJzb24iLCI3YjBjNWE1Mi0…"],
    ),
]
OLDEST, LATEST = date(2000, 1, 1), date(9000, 1, 1)


@dataclass(frozen=True, slots=True)
class Tray:
    """One officer before his trays: opens the one transaction of his call, in which what he is shown is journalled."""

    request: Request
    officer: Officer

    @contextmanager
    def open(self) -> Iterator[tuple[sa.Connection, Desk]]:
        """The transaction and the officer's desk; committed before anything is answered."""
        request = self.request
        route = f"{request.method} {request.scope['route'].path_format}"
        desk = Desk(request.app.state.door, self.officer, node_kind(request), clock(request).now(), route)
        with database(request).write() as connection:
            yield connection, desk


def _reading(
    request: Request, officer: Annotated[Officer, Depends(allow(Permission.READ_CONFLICTS))]
) -> Tray:
    return Tray(request, officer)


def _deciding(
    request: Request, officer: Annotated[Officer, Depends(allow(Permission.WRITE_CONFLICTS))]
) -> Tray:
    return Tray(request, officer)


def _supervising(
    request: Request, officer: Annotated[Officer, Depends(allow(Permission.READ_QUARANTINE))]
) -> Tray:
    return Tray(request, officer)


Reading = Annotated[Tray, Depends(_reading)]
Deciding = Annotated[Tray, Depends(_deciding)]
Supervising = Annotated[Tray, Depends(_supervising)]


def _midnight(day: date | None) -> str | None:
    return None if day is None else stamp(datetime.combine(day, time.min, KINSHASA))


@router.get("/conflicts", summary="Les valeurs qui se contredisent")
def conflicts(
    tray: Reading,
    *,
    area: Area = None,
    kind: OfKind = None,
    weight: Annotated[
        Literal["0", "1"] | None,
        Query(description="1 : une personne doit décider ; 0 : une visite peut clore.", examples=["1"]),
    ] = None,
    opened_from: Annotated[
        date | None,
        Query(ge=OLDEST, le=LATEST, description="Ouverts ce jour ou après.", examples=["2026-11-01"]),
    ] = None,
    opened_before: Annotated[
        date | None,
        Query(ge=OLDEST, le=LATEST, description="Ouverts avant ce jour.", examples=["2026-11-22"]),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Conflict]:
    """Du plus lourd au plus léger, puis du plus ancien ; chaque valeur avec auteur, appareil et preuve."""
    wanted = cases.Wanted(
        area, kind, int(weight) if weight else None, _midnight(opened_from), _midnight(opened_before)
    )
    after = cases.read_position(cursor) if cursor else None
    with tray.open() as (connection, desk):
        found = cases.find_cases(connection, desk, wanted, after=after, limit=limit + 1)
        told = cases.tell_cases(connection, desk, found[:limit])
    return Page[Conflict](
        items=[Conflict.model_validate(each) for each in told],
        next=cases.position_of(found[limit - 1]) if len(found) > limit else None,
    )


@router.get("/conflicts/{id}", summary="Un conflit et l'histoire de son registre")
def read_conflict(identifier: CaseId, tray: Reading, *, response: Response) -> ConflictFile:
    """L'ETag sert à trancher. 404 `conflict_not_found` quand le conflit est clos."""
    with tray.open() as (connection, desk):
        case = cases.find_case(connection, desk, identifier)
        told = cases.tell_cases(connection, desk, [case], whole=True)[0]
    response.headers.update({"ETag": told["etag"] or "", "Cache-Control": "no-store"})
    return ConflictFile.model_validate(told)


@router.post("/conflicts/{id}/resolution", summary="Trancher un conflit, ou interroger l'agent")
def resolve_conflict(
    identifier: CaseId,
    body: ResolutionIn,
    *,
    tray: Deciding,
    response: Response,
    if_match: IfMatch = None,
) -> Resolved:
    """`choose` garde une des valeurs, `value` en écrit une autre : toutes celles en présence sont remplacées, ici, à la
    province et sur les tablettes. `ask` pose une question à l'agent, sur sa tablette ; le conflit reste ouvert.

    409 `fact_of_act` (la valeur vient d'un acte enregistré), 409 `settled_otherwise` (annulation ou fusion contestée).
    """
    typed = "value" in body.model_fields_set
    decision = Decision(body.choose, body.ask, typed, body.value, body.evidence)
    with tray.open() as (connection, desk):
        found = resolve(connection, desk, identifier, decision=decision, if_match=if_match)
    response.headers.update({"ETag": found["etag"], "Cache-Control": "no-store"})
    return Resolved.model_validate(found)


@router.get("/quarantine", summary="Les lignes mises de côté")
def quarantined(
    tray: Supervising,
    *,
    reason: Annotated[
        str | None, Query(max_length=40, description="Code de la raison.", examples=["duplicate_key"])
    ] = None,
    dev: Dev = None,
    area: Area = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[QuarantineOut]:
    """Gardées et visibles, jamais comptées ; la plus récente d'abord."""
    with tray.open() as (connection, desk):
        items, following = supervision.list_quarantine(
            connection, desk, area=area, reason=reason, dev=dev, cursor=cursor, limit=limit
        )
    return Page[QuarantineOut](items=[QuarantineOut.model_validate(each) for each in items], next=following)


@router.get("/quarantine/{id}", summary="Une ligne mise de côté, entière")
def read_quarantined(
    number: Annotated[
        int, Path(alias="id", ge=1, lt=2**63, description="Numéro dans la liste.", examples=[12])
    ],
    tray: Supervising,
) -> QuarantineOut:
    """Les octets tels que l'appareil les a signés."""
    with tray.open() as (connection, desk):
        return QuarantineOut.model_validate(supervision.read_quarantined(connection, desk, number))


@router.get("/doubtful", summary="Les valeurs douteuses")
def doubtful(
    tray: Reading,
    *,
    area: Area = None,
    kind: OfKind = None,
    field: Annotated[str | None, Query(max_length=100, description="Champ.", examples=["sex"])] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[DoubtfulOut]:
    """Hors de leur type ou de leur liste : gardées telles qu'écrites, comptées comme inconnues, corrigées à l'écran."""
    with tray.open() as (connection, desk):
        items, following = supervision.list_doubtful(
            connection, desk, area=area, kind=kind, field=field, cursor=cursor, limit=limit
        )
    return Page[DoubtfulOut](items=[DoubtfulOut.model_validate(each) for each in items], next=following)


@router.get("/deferred", summary="Les opérations qui attendent ce qui les précède")
def deferred(
    tray: Reading,
    *,
    area: Area = None,
    kind: OfKind = None,
    dev: Dev = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[DeferredOut]:
    """Prises en compte, elles ne retiennent rien ; elles quittent la liste quand ce qui manque arrive."""
    with tray.open() as (connection, desk):
        items, following = supervision.list_deferred(
            connection, desk, area=area, kind=kind, dev=dev, cursor=cursor, limit=limit
        )
    return Page[DeferredOut](items=[DeferredOut.model_validate(each) for each in items], next=following)


@router.get("/devices", summary="Les appareils")
def read_devices(
    officer: Annotated[Officer, Depends(allow(Permission.READ_DEVICES, Permission.OWN_DEVICES))],
    store: Store,
    door: TheDoor,
    *,
    kind: Annotated[str, Depends(node_kind)],
    now: Now,
    silent: Annotated[
        bool | None, Query(description="Muets depuis plus de 3 jours, ou non.", examples=[True])
    ] = None,
    trouble: Annotated[
        bool | None, Query(description="Ceux qui demandent un regard, ou non.", examples=[True])
    ] = None,
    role: Annotated[
        str | None,
        Query(max_length=16, description="Rôle ; node : les serveurs des communes.", examples=["node"]),
    ] = None,
) -> Page[DeviceOut]:
    """Un agent ne voit que les siens ; un superviseur ceux de sa commune, ou tous à la province."""
    own = officer.id if officer.role == "agent" else None
    communes = None if own else communes_of(officer, kind)
    with store.read() as connection:
        found = devices(connection, now=now.now(), agent=own, communes=communes, door=door)
    asked = {"silent": silent, "trouble": trouble, "role": role}
    wanted: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    items = [each for each in found if all(each[name] == value for name, value in wanted.items())]
    return Page[DeviceOut](items=[DeviceOut.model_validate(each) for each in items])


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


@router.post("/devices/{dev}/revocation", status_code=201, summary="Révoquer un appareil")
def revoke_device(
    dev: DeviceId,
    body: Annotated[RevocationIn, Body()],
    admin: Annotated[Officer, Depends(allow(Permission.INVITE))],
    store: Store,
    *,
    door: TheDoor,
) -> EffectOut:
    """Ce qui suit le lot donné est mis de côté, l'appareil ne reçoit plus rien ; son travail non envoyé reste admis."""
    with store.write() as connection:
        done = revoking.revoke(connection, door, dev, after=body.after, reason=body.reason, by=admin.id)
    return EffectOut.model_validate(asdict(done))


@router.post("/devices/{dev}/release", status_code=201, summary="Reprendre des lots mis de côté")
def release_batches(
    dev: DeviceId,
    body: Annotated[ReleaseIn, Body()],
    admin: Annotated[Officer, Depends(allow(Permission.INVITE))],
    store: Store,
    *,
    door: TheDoor,
) -> EffectOut:
    """Ces lots tiennent quoi que dise la révocation."""
    with store.write() as connection:
        done = revoking.release(connection, door, dev, batches=body.batches, by=admin.id)
    return EffectOut.model_validate(asdict(done))


@router.put("/devices/{dev}/areas", summary="Changer les zones d'un appareil")
def change_areas(
    dev: DeviceId,
    body: Annotated[AreasIn, Body()],
    admin: Annotated[Officer, Depends(allow(Permission.INVITE))],
    store: Store,
    *,
    door: TheDoor,
    now: Now,
    settings: Config,
) -> AreasOut:
    """L'appareil reçoit sa nouvelle autorisation à sa prochaine session."""
    with store.write() as connection:
        grant = revoking.change_areas(
            connection,
            door,
            dev,
            areas=body.areas,
            by=admin.id,
            at=now.now(),
            grant_days=settings.grant_days,
        )
    return AreasOut(dev=dev, areas=body.areas, grant=grant)


@router.get("/status", summary="L'état du nœud")
def node_status(
    _admin: Annotated[Officer, Depends(allow(Permission.STATUS))], store: Store, door: TheDoor
) -> StatusOut:
    """Des nombres seulement : aucune personne, aucune statistique."""
    with store.read() as connection:
        return StatusOut.model_validate(status(connection, door, schema=None))
