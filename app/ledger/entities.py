"""Which row shows an id, and what the row of a hidden entity would show: the one place where readers look through
merges and voids. Judges nobody's right to see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from app.ledger.projection import Shape
from app.ledger.tables import unmerged
from sync import merge

Row = dict[str, Any]


def shown_row(connection: sa.Connection, table: sa.Table, identity: str) -> Row | None:
    """The row that shows an id of a register table: its own, or that of the entity it was merged into; None where the
    id is unknown. The row of a hidden entity has `void` and nothing in its fields (`reveal` fills them)."""
    row = _row(connection, table, identity)
    if row is not None and row["merged_into"] is not None:
        return _row(connection, table, row["merged_into"])
    return row


def _row(connection: sa.Connection, table: sa.Table, identity: str) -> Row | None:
    found = connection.execute(sa.select(table).where(table.c.id == identity)).mappings().one_or_none()
    return dict(found) if found is not None else None


def reveal(shape: Shape, row: Mapping[str, Any], *, forked: frozenset[str]) -> Row:
    """The row of a hidden entity with the values it showed, still marked `void`; any other row as it is."""
    if not row["void"] or row["registers"] is None:
        return dict(row)
    registers = merge.unpack(orjson.loads(row["registers"]))
    clean, extra = shape.split(merge.show(shape.kind, registers, forked))
    filled = shape.head(row["id"], clean, extra=extra)
    return dict(row) | dict(zip(shape.order, filled, strict=False))


def merged_ids(connection: sa.Connection, table: sa.Table, identity: str) -> list[str]:
    """The other ids of the entity shown under this one, sorted."""
    query = sa.select(table.c.id).where(table.c.merged_into == identity)
    return sorted(connection.execute(query).scalars())


def in_lists(table: sa.Table) -> sa.ColumnElement[bool]:
    """What a list of a register table asks: neither hidden nor shown under another id."""
    return sa.and_(table.c.void.is_(None), table.c.merged_into.is_(None))


def undone_merges(connection: sa.Connection) -> frozenset[str]:
    """The dots of all merges that an unmerge names."""
    return frozenset(connection.execute(sa.select(unmerged.c.dot)).scalars())
