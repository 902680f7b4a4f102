"""How the node stands, in numbers: for `mboka status`, the supervisor's device list and the admin's page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from app.access.officers import names_of
from app.clock import moment
from app.ledger.door import Door
from app.ledger.node import read_standing
from app.ledger.revocation import is_spoken_of
from app.ledger.tables import batch, conflict, device, device_contact, fork, origin, quarantine, waiting
from sync.ledger import Ranges

SILENT_DAYS = 3
UNSETTLED_DAYS = 14
CLOCK_SECONDS = 3600


def status(connection: sa.Connection, door: Door, *, schema: str | None) -> dict[str, Any]:
    """Counts only; no person's data. `rows` counts the register tables."""
    standing = read_standing(connection)
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
        "clock_unsure": (standing.clock_jumped_at or "") > (standing.clock_confirmed_at or ""),
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
    """Every device of these communes (None = all), of one agent where given: what was received, settled, missing, and
    what needs a look. The number of statements does not grow with the devices."""
    rows = _devices(connection, door, agent=agent, communes=communes)
    devs = [row["id"] for row in rows]
    ranges = _ranges(connection, devs)
    settled = _settled(connection, devs, province=door.standing.is_province)
    unsettled = {} if door.standing.is_province else _unsettled(connection, devs)
    counted = sa.select(fork.c.dev, sa.func.count()).where(fork.c.dev.in_(devs)).group_by(fork.c.dev)
    forks: dict[str, int] = dict(connection.execute(counted).all())
    aside = _set_aside(connection, devs)
    names = names_of(connection, (row["agent"] for row in rows))
    contacts = _contacts(connection)
    found = []
    for row in rows:
        dev, epochs = row["id"], ranges.get(row["id"], {})
        told = {name: row[name] for name in ("name", "agent", "role", "areas", "expires", "clock_offset")}
        told |= {
            "dev": dev,
            "agent_name": names.get(row["agent"] or ""),
            "last_contact": contacts.get(dev),
            "operations": sum(b - a + 1 for each in epochs.values() for a, b in each.to_list()),
            "settled": settled.get(dev, 0),
            "unsettled_since": unsettled.get(dev),
            "epochs": {ep: {"through": e.through, "holes": e.holes()} for ep, e in epochs.items()},
            "prev_gap": bool(row["prev_gap"]),
            "forks": forks.get(dev, 0),
            "revoked": bool(door.verdict(connection, dev).revoked) if is_spoken_of(row) else False,
            "set_aside": aside.get(dev, 0),
            "outside_areas": row["outside_areas"] or 0,
            "other_author": row["other_author"] or 0,
        }
        found.append(told | _judge(told, now))
    return found


def _set_aside(connection: sa.Connection, devs: list[str]) -> dict[str, int]:
    query = sa.select(batch.c.dev, sa.func.sum(batch.c.to_n - batch.c.from_n + 1))
    query = query.where(batch.c.dev.in_(devs), batch.c.unfolded)
    return {dev: int(count or 0) for dev, count in connection.execute(query.group_by(batch.c.dev))}


def _judge(told: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Whether a device has been silent too long, and whether something about it needs a look."""
    contact, since, ahead = told["last_contact"], told["unsettled_since"], told["clock_offset"]
    days = (now - moment(since)).days if since is not None else None
    trouble = (
        told["prev_gap"],
        told["forks"] > 0,
        any(each["holes"] for each in told["epochs"].values()),
        days is not None and days >= UNSETTLED_DAYS,
        ahead is not None and abs(ahead) >= CLOCK_SECONDS,
    )
    silent = contact is None or moment(contact) < now - timedelta(days=SILENT_DAYS)
    return {"unsettled_days": days, "silent": silent, "trouble": any(trouble)}


def _devices(
    connection: sa.Connection, door: Door, *, agent: str | None, communes: frozenset[str] | None
) -> list[dict[str, Any]]:
    contact = device_contact.c
    facts = (contact.clock_offset, contact.prev_gap, contact.outside_areas, contact.other_author)
    query = sa.select(device, *facts).outerjoin(device_contact, contact.dev == device.c.id)
    if agent is not None:
        query = query.where(device.c.agent == agent)
    found = []
    for row in connection.execute(query.order_by(device.c.id)).mappings():
        # A server may have written anything there; only codes are areas.
        told = orjson.loads(row["areas"]) if row["areas"] else []
        areas = [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
        homes = {each if each.startswith("CD-") else door.territory.commune_of(each) for each in areas}
        # A commune's server also knows the revoked tablets of the others, whose lines it may have brought: not to mind.
        foreign = not door.standing.is_province and homes and door.standing.commune not in homes
        if not foreign and (communes is None or communes & homes):
            found.append({**row, "areas": areas})
    return found


def _contacts(connection: sa.Connection) -> dict[str, str]:
    """Device → its last contact; a server's is also that of the latest device it enrolled, whose work it brought."""
    own = sa.select(device_contact.c.dev, device_contact.c.last_contact)
    contacts: dict[str, str] = dict(connection.execute(own).all())
    brought = (
        sa.select(device.c.granted_by, sa.func.max(device_contact.c.last_contact))
        .join(device_contact, device_contact.c.dev == device.c.id)
        .where(device.c.granted_by.is_not(None))
        .group_by(device.c.granted_by)
    )
    for server, at in connection.execute(brought):
        contacts[server] = max(at, contacts.get(server, at))
    return contacts


def _unsettled(connection: sa.Connection, devs: list[str]) -> dict[str, str]:
    """Device → when its oldest batch without the province's receipt came here."""
    query = sa.select(batch.c.dev, sa.func.min(batch.c.received_at)).where(
        batch.c.province_receipt.is_(None), batch.c.dev.in_(devs)
    )
    return dict(connection.execute(query.group_by(batch.c.dev)).all())


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
