"""Which batches of a device stand after it was revoked (protocol section 5): decided from what the register of the
device says, by those who may say it. What follows for the other registers is the business of unfolding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.ledger.history import forked_dots, registers_of
from app.ledger.node import Standing
from app.ledger.senders import homes_of, senders_of
from app.ledger.tables import device
from sync import merge
from sync.catalogue import register_of
from sync.protocol import parse_dot

REASON = "revoked"
SERVERS = ("node", "province")
CommuneOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one device: every live `revoked` value (epoch → the last batch that stands, or nothing), and the
    batches that are `released` whatever those say."""

    revoked: tuple[Mapping[str, Any], ...] = ()
    released: frozenset[str] = frozenset()

    def stands(self, ep: int, prev: Mapping[str, str | None]) -> set[str]:
        """The batches of one epoch that stand, among all that are held of it (`prev`: sha256 → the one before).

        A value leaves out what is neither the batch it names nor one of that batch's ancestors held here.
        """
        standing = set(prev)
        for value in self.revoked:
            standing &= _chain_to(value.get(str(ep)), prev)
        return standing | (self.released & prev.keys())


def _chain_to(named: Any, prev: Mapping[str, str | None]) -> set[str]:
    found: set[str] = set()
    while isinstance(named, str) and named in prev and named not in found:
        found.add(named)
        named = prev[named]
    return found


def judge(revoked: Iterable[Any], releases: Iterable[Any]) -> Verdict:
    """The verdict of live values: what is no object revokes nothing, what is no list releases nothing."""
    lists = [each for each in releases if isinstance(each, list)]
    return Verdict(
        tuple(each for each in revoked if isinstance(each, dict)),
        frozenset(sha256 for each in lists for sha256 in each if isinstance(sha256, str)),
    )


def may_revoke(role: str, commune: str | None, *, target: str, home: str | None) -> bool:
    """Whether a server (role, commune) may revoke a device of role `target` whose grant lies in the commune `home`.

    The province any but itself, a commune's server the tablets of its own commune: so whoever revokes can never be
    revoked in turn by those he revoked.
    """
    if role == "province":
        return target != "province"
    return role == "node" and target not in SERVERS and commune is not None and commune == home


def is_spoken_of(row: Mapping[str, Any]) -> bool:
    """Whether anybody ever revoked the device of this row: only then it is asked who may."""
    return row["revoked"] is not None or '"revoked"' in (row["registers"] or "")


def verdict_of(connection: sa.Connection, dev: str, *, standing: Standing, commune_of: CommuneOf) -> Verdict:
    """What the register of a device says of it here; nothing of a device this server does not know."""
    row = connection.execute(sa.select(device).where(device.c.id == dev)).mappings().one_or_none()
    if row is None or not is_spoken_of(dict(row)):
        return Verdict()
    role, home = _who_is(connection, dev, standing=standing, commune_of=commune_of)
    registers = registers_of(connection, "device", dict(row))
    names = ("revoked", "release")
    writers = {parse_dot(w.dot)[0] for name in names for w in registers.get(name, ())}
    homes = homes_of(connection, writers, commune_of=commune_of)
    forked = forked_dots(connection)

    def said(name: str) -> list[Any]:
        heard = [
            write
            for write in registers.get(name, ())
            if may_revoke(write.role, homes[parse_dot(write.dot)[0]], target=role, home=home)
        ]
        return [write.value for write in merge.live(register_of("device", name), heard, forked)]

    return judge(said("revoked"), said("release"))


def _who_is(
    connection: sa.Connection, dev: str, *, standing: Standing, commune_of: CommuneOf
) -> tuple[str, str | None]:
    """Role and commune of a device as its grant says; one without a grant is nobody's to revoke but the province's."""
    if dev == standing.dev:
        return standing.role, standing.commune
    sender = senders_of(connection, [dev], standing=standing).get(dev)
    return (sender.role, sender.commune(commune_of)) if sender is not None else ("", None)
