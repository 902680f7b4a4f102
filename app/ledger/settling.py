"""Something was said of a device: its batches stand as the verdict says, those held here and those of which only the
province told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from app.ledger.areas import REFERENCE, Areas
from app.ledger.brought import Folding, fallen_of, fold_back_brought
from app.ledger.keeping import Known, chain_of, no_longer_aside
from app.ledger.lines import decompress, falls
from app.ledger.senders import roles_of
from app.ledger.tables import batch, brought_batch, device, origin
from app.ledger.unfolding import Leaving, Unfolding
from sync.protocol import read_batch


def settle(connection: sa.Connection, door: Folding, devs: Iterable[str], *, at: str) -> None:
    """Make the batches of these devices stand as their verdicts say. What is taken out or back in may be about devices
    again: servers revoke, and are revoked by the province alone, so this ends."""
    pending = sorted(devs)
    while pending:
        dev = pending.pop()
        verdict = door.verdict(connection, dev)
        epochs = connection.execute(sa.select(origin).where(origin.c.dev == dev)).all()
        if not verdict.revoked and not any(each.revoked for each in epochs):
            continue
        connection.execute(origin.update().where(origin.c.dev == dev).values(revoked=bool(verdict.revoked)))
        leaving: list[Leaving] = []
        returning: list[tuple[int, Known]] = []
        for each in epochs:
            chain = chain_of(connection, each.id)
            standing = verdict.stands(each.ep, {sha256: known.prev for sha256, known in chain.items()})
            fallen = [
                known for known in chain.values() if known.sha256 not in standing and not known.unfolded
            ]
            _mark(connection, [known.sha256 for known in fallen], unfolded=True)
            leaving += _leaving(connection, each, fallen)
            returning += [
                (each.id, known) for known in chain.values() if known.sha256 in standing and known.unfolded
            ]
        unfolding = Unfolding(connection, door.registry, areas=door.areas, at=at)
        again = unfolding.run(leaving) if leaving else set()
        for local, known in sorted(returning, key=_by_arrival):
            again |= _fold_back(connection, door, known, local=local, at=at)
        pending += sorted(again)


def tell_again(connection: sa.Connection, areas: Areas, dev: str) -> None:
    """A batch of a revoked device came: communes that brought lines of such batches have to hear of its chain again."""
    local, seq = areas.advance(connection, [REFERENCE])[REFERENCE]
    here = (device.c.id == dev, device.c.area == local)
    connection.execute(device.update().where(*here).values(seq=seq))


def _by_arrival(returning: tuple[int, Known]) -> tuple[bool, int]:
    number = returning[1].id
    return number is None, number or 0


def _mark(connection: sa.Connection, named: Collection[str], *, unfolded: bool | None) -> None:
    """In both lists: a batch of which the province told may have come since."""
    for table in (batch, brought_batch):
        connection.execute(table.update().where(table.c.sha256.in_(named)).values(unfolded=unfolded))


def _leaving(connection: sa.Connection, of: sa.Row[Any], fallen: Iterable[Known]) -> Iterator[Leaving]:
    """What leaves the registers with these batches of an origin."""
    granted = roles_of(connection, [of.dev])[of.dev]
    for known in fallen:
        who = (of.id, of.dev, of.ep, known.sha256)
        if known.id is not None:
            held = read_batch(decompress(_content(connection, known.id)))
            numbers = range(held.header.from_, held.header.to + 1)
            yield Leaving(*who, numbers, granted, [line for line in held.lines if falls(line)])
        elif told := fallen_of(connection, of.id, sha256=known.sha256):
            yield Leaving(
                *who, [each.line.n for each in told], told[0].role or granted, [each.line for each in told]
            )


def _content(connection: sa.Connection, number: int) -> bytes:
    return bytes(connection.execute(sa.select(batch.c.content).where(batch.c.id == number)).scalar_one())


def _fold_back(connection: sa.Connection, door: Folding, known: Known, *, local: int, at: str) -> set[str]:
    if known.id is not None:
        row = connection.execute(sa.select(batch).where(batch.c.id == known.id)).one()
        devs = door.fold_back(connection, row, at=at)
    else:
        devs = fold_back_brought(connection, door, local, sha256=known.sha256, at=at)
    _mark(connection, [known.sha256], unfolded=None)
    no_longer_aside(connection, known.sha256)
    return devs
