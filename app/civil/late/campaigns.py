"""Campaigns of late registration (audiences foraines): their days, ages and waiver of fees, and what came of them.
Grants no waiver itself."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.access.paging import Position
from app.civil.declaration import FieldError, refuse
from app.civil.late.tables import campaign, late_procedure
from app.ledger.bulk import lock_door
from app.ledger.door import Door

FIELDS = (
    *("id", "name", "commune", "starts_on", "ends_on", "least_age", "most_age", "court"),
    *("fee_waived", "decision", "note"),
)


def open_campaign(
    connection: sa.Connection, door: Door, officer: Officer, *, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a campaign down in the caller's transaction; `values` are clean fields with `name` and `commune`.

    Raises `other_commune` 403, `invalid_input` 422 (a commune that is none, days or ages the wrong way round).
    """
    if errors := _wrong(door, values):
        raise refuse(errors)
    require(officer, values["commune"], node_kind=door.standing.kind)
    lock_door(connection)
    identity = str(uuid.uuid4())
    operation = {"kind": "campaign", "id": identity, "new": True, "set": dict(values)}
    door.write(connection, [operation], by=officer.id)
    row = connection.execute(sa.select(campaign).where(campaign.c.id == identity)).mappings().one()
    return {name: row[name] for name in FIELDS} | {"procedures": 0, "waiting": 0, "acts": 0}


def campaigns(
    connection: sa.Connection, *, communes: Collection[str] | None, after: Position | None, limit: int
) -> tuple[list[dict[str, Any]], Position | None]:
    """Campaigns of these communes (None = all), last written first, each with its files: all, waiting, transcribed."""
    place = (campaign.c.area, campaign.c.seq, campaign.c.id)
    query = sa.select(campaign).order_by(*(column.desc() for column in place)).limit(limit + 1)
    if communes is not None:
        query = query.where(campaign.c.commune.in_(sorted(communes)))
    if after is not None:
        reached = (sa.literal(value, column.type) for value, column in zip(after, place, strict=True))
        query = query.where(sa.tuple_(*place) < sa.tuple_(*reached))
    rows = connection.execute(query).mappings().all()
    last = rows[limit - 1] if len(rows) > limit else None
    files = _files(connection, [row["id"] for row in rows])
    items = [{name: row[name] for name in FIELDS} | files.get(row["id"], _NONE) for row in rows[:limit]]
    return items, (last["area"], last["seq"], last["id"]) if last is not None else None


_NONE = {"procedures": 0, "waiting": 0, "acts": 0}


def _files(connection: sa.Connection, ids: Collection[str]) -> dict[str, dict[str, int]]:
    table = late_procedure.c
    waiting = sa.func.sum(sa.case((table.closed_on.is_(None), 1), else_=0))
    query = sa.select(table.campaign, sa.func.count(), waiting, sa.func.count(table.act))
    query = query.where(table.campaign.in_(ids)).group_by(table.campaign)
    return {
        row[0]: {"procedures": row[1], "waiting": int(row[2]), "acts": row[3]}
        for row in connection.execute(query)
    }


def _wrong(door: Door, values: Mapping[str, Any]) -> list[FieldError]:
    found = []
    if values["commune"] not in door.territory.communes:
        found.append({"field": "commune", "message": "Indiquez le code d'une commune de la province."})
    if values.get("ends_on", "9999") < values.get("starts_on", ""):
        found.append({"field": "ends_on", "message": "La campagne finirait avant de commencer."})
    if values.get("most_age", 999) < values.get("least_age", 0):
        found.append({"field": "most_age", "message": "Le plus grand âge est inférieur au plus petit."})
    return found
