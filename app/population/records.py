"""What a stored record looks like to whoever may read it: its values, what is doubtful or contested, its history.
Decides nothing about who that is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from app.access.officers import names_of
from app.ledger.desk import Desk, Row
from app.ledger.entities import merged_ids, reveal, undone_merges
from app.ledger.history import etag, forked_dots, history, live_values, registers_of
from sync import merge
from sync.catalogue import CATALOGUE

Known = tuple[frozenset[str], frozenset[str]]
_NOTHING: Known = (frozenset(), frozenset())


def show(connection: sa.Connection, desk: Desk, kind: str, *, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The records of these rows of a kind, as schemas.PersonOut and HouseholdOut describe them."""
    held = list(rows)
    edited = any(row["registers"] is not None for row in held)
    known = (forked_dots(connection), undone_merges(connection)) if edited else _NOTHING
    found = [_record(connection, desk, kind, row=row, known=known) for row in held]
    contested = [
        each for record in found for values in record.get("conflicts", {}).values() for each in values
    ]
    names = names_of(connection, (each["by"] for each in contested))
    for each in contested:
        each["by_name"] = names.get(each["by"])
    return found


def _record(connection: sa.Connection, desk: Desk, kind: str, *, row: Row, known: Known) -> dict[str, Any]:
    """One record; `known` are the forked dots and those of undone merges."""
    forked, undone = known
    shape, fields = desk.door.registry.shape(kind), CATALOGUE[kind].fields
    row = reveal(shape, row, forked=forked)
    values = shape.values_of(row)
    found: dict[str, Any] = {"id": row["id"], "etag": etag(row)}
    found |= {field: values.pop(field, None) for field in fields}
    if kind == "person":
        found["commune"] = desk.commune_of(row)
        found["quartier"] = desk.door.areas.quartier(desk.door.areas.code(row["area"]))
    if row["registers"] is not None:
        registers = registers_of(connection, kind, row)
        cases = live_values(kind, registers, identity=row["id"], forked=forked, undone=undone)
        if cases and not row["void"]:
            found["conflicts"] = cases
        if merge.ENTITY in registers and (others := merged_ids(connection, shape.table, row["id"])):
            found["merged_ids"] = others
    if row["void"]:
        found["void"] = True
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
    acts = registers.pop(merge.ENTITY, [])
    told = {"id": row["id"], "kind": kind, "registers": registers}
    return told | ({"acts": acts} if acts else {})
