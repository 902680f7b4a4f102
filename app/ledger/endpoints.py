"""The trays of clerks and supervisors, the list of devices, invitations and the node's standing, over HTTP.
The sync calls are in app.ledger.exchange."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Body, Depends, Query, Request

from app.access import journal
from app.access.jurisdiction import communes_of
from app.access.officers import Officer, find_username, names_of
from app.access.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission, allow, node_kind
from app.ledger import enrolment
from app.ledger.door import Door
from app.ledger.exchange import Config, Now, Store, TheDoor
from app.ledger.history import history, standing_values
from app.ledger.schemas import Conflict, DeviceOut, InvitationIn, InvitationOut, QuarantineOut, StatusOut
from app.ledger.standing import devices, status
from app.ledger.tables import conflict, quarantine

router = APIRouter(prefix="/v1", tags=["Suivi de la synchronisation"])
Kind = Annotated[str, Depends(node_kind)]


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
    """Du plus lourd au plus léger, puis du plus ancien ; chaque valeur avec auteur, appareil et preuve."""
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
    known = history(connection, shape.kind, dict(stored)) if stored is not None else {}
    standing = standing_values(known, row["register"])
    names = names_of(connection, (each["by"] for each in standing))
    return Conflict.model_validate(
        {
            **{name: row[name] for name in ("kind", "id", "register", "weight", "opened_at")},
            "area": door.areas.code(row["area"]),
            "values": [each | {"by_name": names.get(each["by"])} for each in standing],
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
