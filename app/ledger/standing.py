"""How the node stands, in numbers: for `mboka status`, the supervisor's device list and the admin's page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from app.clock import moment
from app.ledger.door import Door
from app.ledger.tables import batch, conflict, device, device_contact, fork, origin, quarantine, waiting
from sync.ledger import Ranges

SILENT_DAYS = 3


def status(connection: sa.Connection, door: Door, *, schema: str | None) -> dict[str, Any]:
    """Counts only; no person's data. `rows` counts the register tables."""
    standing = door.standing
    spans = sa.func.coalesce(sa.func.sum(batch.c.to_n - batch.c.from_n + 1), 0)
    open_here = batch.c.province_receipt.is_(None) if not standing.is_province else sa.false()

    def count(table: sa.Table) -> int:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

    def total(*where: sa.ColumnElement[bool]) -> int:
        return int(connection.execute(sa.select(spans).where(*where)).scalar_one())

    unsettled = connection.execute(
        sa.select(sa.func.count()).select_from(batch).where(open_here)
    ).scalar_one()
    return {
        "node": standing.dev,
        "kind": standing.kind,
        "commune": standing.commune,
        "demo": standing.demo,
        "schema": schema,
        "batches": count(batch),
        "operations": total(),
        "unsettled_batches": int(unsettled),
        "unsettled_operations": total(open_here),
        "own_unsettled_operations": total(open_here, batch.c.dev == standing.dev),
        "devices": count(device),
        "conflicts": count(conflict),
        "quarantined": count(quarantine),
        "waiting": count(waiting),
        "relayed_at": standing.relayed_at,
        "catching_up": standing.catching_up,
        "rows": {kind: count(shape.table) for kind, shape in sorted(door.registry.shapes.items())},
    }


def devices(
    connection: sa.Connection,
    *,
    door: Door,
    now: datetime,
    agent: str | None = None,
    communes: frozenset[str] | None = None,
) -> list[dict[str, Any]]:
    """Every device of these communes (None = all), of one agent where given: what was received, settled, missing."""
    query = sa.select(device, device_contact.c.last_contact, device_contact.c.prev_gap).outerjoin(
        device_contact, device_contact.c.dev == device.c.id
    )
    if agent is not None:
        query = query.where(device.c.agent == agent)
    rows = connection.execute(query.order_by(device.c.id)).mappings().all()
    devs = [row["id"] for row in rows]
    ranges = _ranges(connection, devs)
    settled = _settled(connection, devs, province=door.standing.is_province)
    counted = sa.select(fork.c.dev, sa.func.count()).where(fork.c.dev.in_(devs)).group_by(fork.c.dev)
    forks: dict[str, int] = dict(connection.execute(counted).all())
    limit = now - timedelta(days=SILENT_DAYS)
    found = []
    for row in rows:
        # A server may have written anything there; only codes are areas.
        told = orjson.loads(row["areas"]) if row["areas"] else []
        areas = [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
        if communes is not None and not communes & {
            a if a.startswith("CD-") else door.territory.commune_of(a) for a in areas
        }:
            continue
        contact = row["last_contact"]
        epochs = ranges.get(row["id"], {})
        found.append(
            {
                "dev": row["id"],
                "name": row["name"],
                "agent": row["agent"],
                "role": row["role"],
                "areas": areas,
                "expires": row["expires"],
                "last_contact": contact,
                "operations": sum(b - a + 1 for each in epochs.values() for a, b in each.to_list()),
                "settled": settled.get(row["id"], 0),
                "epochs": {
                    ep: {"through": each.through, "holes": each.holes()} for ep, each in epochs.items()
                },
                "prev_gap": bool(row["prev_gap"]),
                "forks": forks.get(row["id"], 0),
                "silent": contact is None or moment(contact) < limit,
            }
        )
    return found


def _ranges(connection: sa.Connection, devs: list[str]) -> dict[str, dict[str, Ranges]]:
    found: dict[str, dict[str, Ranges]] = {}
    for row in connection.execute(sa.select(origin).where(origin.c.dev.in_(devs))):
        found.setdefault(row.dev, {})[str(row.ep)] = Ranges.from_list(orjson.loads(row.ranges))
    return found


def _settled(connection: sa.Connection, devs: list[str], *, province: bool) -> dict[str, int]:
    query = sa.select(batch.c.dev, sa.func.sum(batch.c.to_n - batch.c.from_n + 1)).where(
        batch.c.dev.in_(devs)
    )
    if not province:
        query = query.where(batch.c.province_receipt.is_not(None))
    return {dev: int(count or 0) for dev, count in connection.execute(query.group_by(batch.c.dev))}


def ranges_of(connection: sa.Connection, dev: str) -> dict[str, dict[str, Any]]:
    """What this node holds of one device, by epoch: `{"through": n, "holes": [[a, b]]}`; no permission to delete."""
    epochs = _ranges(connection, [dev]).get(dev, {})
    return {ep: {"through": each.through, "holes": each.holes()} for ep, each in epochs.items()}
