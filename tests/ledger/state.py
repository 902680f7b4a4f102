"""What a node holds after folding, told so that two nodes can be compared: without anything that depends on the order
in which batches came (areas, numbers of the feed, when a case was opened)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from app.ledger.feed import Feed
from app.ledger.history import registers_of
from app.ledger.tables import conflict, waiting
from sync import merge
from tests.nodes import TestNode

LOCAL = ("area", "seq", "rev")


def rows(node: TestNode, *kinds: str) -> dict[str, dict[str, Any]]:
    """`kind id` → the row as a server is sent it, with all its writes."""
    found: dict[str, dict[str, Any]] = {}
    with node.database.read() as connection:
        feed = Feed(connection, node.door, node.door.own_sender())
        for kind in kinds or ("household", "person", "visit"):
            shape = node.door.registry.shape(kind)
            for row in connection.execute(sa.select(shape.table)).mappings():
                sent = feed.row(shape, dict(row), code="")
                writes = merge.pack(registers_of(connection, kind, dict(row)))
                told = {name: value for name, value in sent.items() if name not in LOCAL}
                found[f"{kind} {row['id']}"] = told | {"writes": writes}
    return found


def conflicts(node: TestNode) -> set[tuple[str, str, str, int]]:
    """The open cases: kind, id, register, weight."""
    query = sa.select(conflict.c.kind, conflict.c.id, conflict.c.register, conflict.c.weight)
    with node.database.read() as connection:
        return {(row[0], row[1], row[2], row[3]) for row in connection.execute(query)}


def waits(node: TestNode) -> list[tuple[Any, ...]]:
    """What waits: the operation, and the dot it waits for (None: its entity)."""
    columns = (waiting.c.dot, waiting.c.awaited_dev, waiting.c.awaited_ep, waiting.c.awaited_n)
    with node.database.read() as connection:
        return sorted((tuple(row) for row in connection.execute(sa.select(*columns))), key=str)


def rollups(node: TestNode) -> dict[str, dict[tuple[Any, ...], int]]:
    """Every counter that is not zero."""
    found: dict[str, dict[tuple[Any, ...], int]] = {}
    with node.database.read() as connection:
        for name, table in node.door.registry.rollups.items():
            cells = {tuple(row[:-1]): row[-1] for row in connection.execute(sa.select(table)) if row[-1]}
            found[name] = cells
    return found
