"""What an administrator decides about a device once it is enrolled: revoke it from a batch on, release batches that a
revocation left out, change its areas. Each is an operation of this server on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.clock import stamp
from app.errors import problem
from app.ledger.door import Door
from app.ledger.enrolment import require_areas
from app.ledger.granting import regrant, write_device
from app.ledger.revocation import may_revoke
from app.ledger.senders import Sender, sender_of
from app.ledger.tables import batch, brought_batch, origin

DEVICE_UNKNOWN = problem(
    "device_not_found", 404, "Appareil inconnu de ce serveur", "Voyez la liste : mboka device list."
)
BATCH_UNKNOWN = problem(
    "batch_not_found",
    422,
    "Lot inconnu pour cet appareil",
    "Donnez l'empreinte SHA-256 d'un lot reçu de cet appareil, ou « none ».",
)
DEVICE_BEYOND = problem(
    "device_beyond",
    403,
    "Cet appareil ne relève pas de ce serveur",
    "Un serveur de commune décide des tablettes de sa commune ; pour le reste, adressez-vous à la province.",
)
NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Effect:
    """What stands of a device now: its batches that stand, and batches and operations that are set aside."""

    standing: int
    set_aside: int
    operations: int


def revoke(connection: sa.Connection, door: Door, dev: str, *, after: str, reason: str, by: str) -> Effect:
    """Let stand what came up to the batch `after` (its SHA-256; "none": nothing), set the rest aside, end sessions.

    Epochs whose batches all came here before that one stand. Raises `device_not_found`, `device_beyond`,
    `batch_not_found`.
    """
    _target(connection, door, dev)
    values = {"revoked": _last_of_epochs(connection, dev, after=after), "revoked_reason": reason}
    write_device(connection, door, dev=dev, values=values, by=by)
    return effect(connection, dev)


def _last_of_epochs(connection: sa.Connection, dev: str, *, after: str) -> dict[str, str | None]:
    query = (
        sa.select(batch.c.id, batch.c.sha256, origin.c.ep)
        .join(origin, origin.c.id == batch.c.origin)
        .where(origin.c.dev == dev)
        .order_by(batch.c.from_n, batch.c.id)
    )
    rows = connection.execute(query).all()
    found: dict[str, str | None] = {str(row.ep): None for row in rows}
    if after == NOTHING:
        return found
    named = next((row for row in rows if row.sha256 == after), None)
    if named is None:
        raise BATCH_UNKNOWN()
    for ep in {row.ep for row in rows}:
        own = [row for row in rows if row.ep == ep]
        if all(row.id < named.id for row in own):
            found[str(ep)] = own[-1].sha256
    found[str(named.ep)] = after
    return found


def release(connection: sa.Connection, door: Door, dev: str, *, batches: Sequence[str], by: str) -> Effect:
    """Let batches stand whatever the revocation says. Raises `device_not_found`, `device_beyond`, `batch_not_found`."""
    _target(connection, door, dev)
    held = sa.select(batch.c.sha256).where(batch.c.dev == dev, batch.c.sha256.in_(batches))
    told = sa.select(brought_batch.c.sha256).join(origin, origin.c.id == brought_batch.c.origin)
    told = told.where(origin.c.dev == dev, brought_batch.c.sha256.in_(batches))
    if missing := set(batches) - set(connection.execute(held.union(told)).scalars()):
        raise BATCH_UNKNOWN(f"Lots inconnus pour cet appareil : {', '.join(sorted(missing))}.")
    already = door.verdict(connection, dev).released
    write_device(connection, door, dev=dev, values={"release": sorted(already | set(batches))}, by=by)
    return effect(connection, dev)


def effect(connection: sa.Connection, dev: str) -> Effect:
    """What stands of a device and what is set aside by a revocation."""
    size = batch.c.to_n - batch.c.from_n + 1
    query = (
        sa.select(batch.c.unfolded.is_(None), sa.func.count(), sa.func.sum(size))
        .where(batch.c.dev == dev, batch.c.origin.is_not(None))
        .group_by(batch.c.unfolded.is_(None))
    )
    found = {bool(stands): (count, int(total or 0)) for stands, count, total in connection.execute(query)}
    aside, operations = found.get(False, (0, 0))
    return Effect(found.get(True, (0, 0))[0], aside, operations)


def change_areas(
    connection: sa.Connection,
    door: Door,
    dev: str,
    *,
    areas: Sequence[str],
    by: str,
    at: datetime,
    grant_days: int,
) -> str:
    """Give a device other areas: a new grant, which it gets at its next session; gives the grant.

    Raises `device_not_found`, `device_beyond`, `area_unknown`, `area_elsewhere`.
    """
    sender = _target(connection, door, dev)
    require_areas(door, areas)
    return regrant(
        connection, door, sender, areas=areas, expires=stamp(at + timedelta(days=grant_days)), by=by
    )


def _target(connection: sa.Connection, door: Door, dev: str) -> Sender:
    sender = sender_of(connection, dev, standing=door.standing)
    if sender is None:
        raise DEVICE_UNKNOWN()
    standing = door.standing
    home = sender.commune(door.territory.commune_of)
    if dev == standing.dev or not may_revoke(standing.role, standing.commune, target=sender.role, home=home):
        raise DEVICE_BEYOND()
    return sender
