"""A grant made anew for a device that is known, written down as an operation of this server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from app.ledger.door import Door
from app.ledger.history import current_dots, forked_dots, registers_of
from app.ledger.senders import Sender
from app.ledger.tables import device
from sync.seal import make_grant


def regrant(
    connection: sa.Connection, door: Door, sender: Sender, *, areas: Sequence[str], expires: str, by: str
) -> str:
    """A new grant of this server for a device it may grant, written down as an operation; gives the grant."""
    own = door.identity
    grant = make_grant(
        own.key,
        node=own.dev,
        dev=sender.dev,
        key=sender.public.jwk(),
        agent=sender.agent,
        role=sender.role,
        areas=list(areas),
        expires=expires,
        node_cert=door.standing.node_cert,
    )
    values = {
        "agent": sender.agent,
        "role": sender.role,
        "areas": list(areas),
        "key": sender.public.jwk(),
        "grant": grant,
        "expires": expires,
        "granted_by": own.dev,
    }
    write_device(connection, door, dev=sender.dev, values=values, by=by)
    return grant


def write_device(
    connection: sa.Connection, door: Door, *, dev: str, values: Mapping[str, Any], by: str
) -> None:
    """Set fields of a device, having seen every value that stands."""
    row = connection.execute(sa.select(device).where(device.c.id == dev)).mappings().one_or_none()
    registers = registers_of(connection, "device", dict(row)) if row is not None else {}
    forked = forked_dots(connection)
    seen = {name: current_dots(registers, "device", register=name, forked=forked) for name in values}
    par = {name: dots for name, dots in seen.items() if dots}
    new = {"new": True} if row is None else {}
    door.write(connection, [{"kind": "device", "id": dev, **new, "set": dict(values), "par": par}], by=by)
