"""What a stored record looks like to whoever may read it: its values, what is doubtful or contested, its history.
Decides nothing about who that is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from app.access.officers import names_of
from app.ledger.history import etag, forked_dots, history, live_values, registers_of
from app.population.desk import Desk, Row
from sync.catalogue import CATALOGUE


def show(connection: sa.Connection, desk: Desk, kind: str, *, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The records of these rows of a kind, as schemas.PersonOut and HouseholdOut describe them."""
    held = list(rows)
    edited = any(row["registers"] is not None for row in held)
    forked = forked_dots(connection) if edited else frozenset[str]()
    found = [_record(connection, desk, kind, row=row, forked=forked) for row in held]
    contested = [
        each for record in found for values in record.get("conflicts", {}).values() for each in values
    ]
    names = names_of(connection, (each["by"] for each in contested))
    for each in contested:
        each["by_name"] = names.get(each["by"])
    return found


def _record(
    connection: sa.Connection, desk: Desk, kind: str, *, row: Row, forked: frozenset[str]
) -> dict[str, Any]:
    shape, fields = desk.door.registry.shape(kind), CATALOGUE[kind].fields
    values = shape.values_of(row)
    found: dict[str, Any] = {"id": row["id"], "etag": etag(row)}
    found |= {field: values.pop(field, None) for field in fields}
    if kind == "person":
        found["commune"] = desk.commune_of(row)
        found["quartier"] = desk.door.areas.quartier(desk.door.areas.code(row["area"]))
    if row["registers"] is not None:
        registers = registers_of(connection, kind, row)
        if contested := live_values(kind, registers, forked=forked):
            found["conflicts"] = contested
    if doubtful := shape.doubtful(row):
        found["doubtful"] = doubtful
    if values:
        found["others"] = values
    return found


def tell_history(connection: sa.Connection, kind: str, row: Row) -> dict[str, Any]:
    """Per register every value ever written and by whom, as schemas.HistoryOut describes it."""
    registers = history(connection, kind, row)
    names = names_of(connection, (each["by"] for writings in registers.values() for each in writings))
    for writings in registers.values():
        for each in writings:
            each["by_name"] = names.get(each["by"])
    return {"id": row["id"], "kind": kind, "registers": registers}
