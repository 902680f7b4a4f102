"""At the province: entities that left a commune's areas by somebody else's hand. The commune has to hear where they lie
now, or it would go on showing them; it is told the operations that say so, and no more of what they wrote since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from app.ledger import bulk
from app.ledger.feed import Position, beyond
from app.ledger.projection import Registry
from app.ledger.tables import departure, other
from sync import merge
from sync.catalogue import register_of

Row = Mapping[str, Any]
# Rows read already, by kind and id: members of one family lie with one household.
Known = dict[tuple[str, str], Row | None]


class Changed(NamedTuple):
    """What happened at a position of an area: an entity there was written, or one `left` it. Of one of which nothing
    stands any more there is no row."""

    position: Position
    kind: str
    row: Row | None
    left: bool = False


def departed(
    connection: sa.Connection, registry: Registry, local: int, *, position: Position, limit: int
) -> list[Changed]:
    """The next departures from an area."""
    query = sa.select(departure).where(departure.c.area == local, beyond(departure, position))
    lines = connection.execute(query.order_by(departure.c.seq, departure.c.id).limit(limit)).all()
    ids: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        ids[line.kind].add(line.id)
    rows = {kind: _rows(connection, registry, kind=kind, ids=wanted) for kind, wanted in ids.items()}
    return [
        Changed((line.seq, str(line.id)), line.kind, rows[line.kind].get(line.id), left=True)
        for line in lines
    ]


def _rows(connection: sa.Connection, registry: Registry, *, kind: str, ids: set[str]) -> dict[str, Row]:
    shape = registry.shapes.get(kind)
    if shape is None:
        return bulk.rows_by_id(connection, other, ids, kind=kind)
    return bulk.rows_by_id(connection, shape.table, ids)


def lying_with(
    connection: sa.Connection, registry: Registry, kind: str, *, row: Row, known: Known
) -> Iterator[tuple[str, Row]]:
    """An entity and those it lies with: the one it is shown as, the household it lives in, and so on."""
    seen: set[tuple[str, str]] = set()
    while (kind, row["id"]) not in seen:
        seen.add((kind, row["id"]))
        yield kind, row
        shape = registry.shapes.get(kind)
        follows = shape.projection.follows if shape is not None else None
        if row["merged_into"] is not None:
            identity = row["merged_into"]
        elif shape is not None and follows is not None and row[follows] is not None:
            kind, identity = shape.projection.followed or "", row[follows]
        else:
            return
        if (kind, identity) not in known:
            known[kind, identity] = _rows(connection, registry, kind=kind, ids={identity}).get(identity)
        found = known[kind, identity]
        if found is None:
            return
        row = found


def placing_registers(registry: Registry, kind: str) -> set[str]:
    """The registers that say where an entity of this kind lies, and whether it stands at all."""
    shape = registry.shapes.get(kind)
    if shape is None:
        return set()
    fields = {"commune", "quartier", shape.projection.follows} & {*shape.fields}
    return {merge.ENTITY} | {register_of(kind, field).name for field in fields if field is not None}
