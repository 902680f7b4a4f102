"""Closing a task of the clerk's tray, and with it placing the child it asked about. Opening one is child.py's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil import tables
from app.civil.act import reference
from app.civil.child import recognise_child, resident
from app.civil.declaration import refuse
from app.errors import problem
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.door import Door
from app.ledger.entities import merged_ids
from app.population.tables import person as person_table

TASK_UNKNOWN = problem("task_unknown", 404, "Tâche inconnue", "Vérifiez l'identifiant de la tâche.")
PERSON_HAS_ACT = problem(
    "person_has_act",
    409,
    "Cette personne a déjà un acte de naissance",
    "Vérifiez qui est l'enfant de cet acte.",
)


def close_task(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    task: str,
    person: str | None,
    note: str | None,
) -> dict[str, Any]:
    """Mark a task done; a `person` is the child it asked about: the facts of the act enter his registers, the link is
    kept both ways. One signed batch in the caller's transaction; a task already done is answered as it stands.

    Raises `task_unknown` 404, `other_commune` 403, `invalid_input` 422 (`person` is no resident of this register),
    `person_has_act` 409.
    """
    lock_door(connection)
    row = _task_row(connection, task)
    require(officer, _commune(door, row), node_kind=door.standing.kind)
    if row["stage"] != "done":
        operations = [_closing(connection, door, row, note=note)]
        if person is not None:
            operations += _placing(connection, door, officer, row=row, person=person)
        door.write(connection, operations, by=officer.id)
        row = _task_row(connection, task)
    return _shown(connection, door, row)


def _closing(
    connection: sa.Connection, door: Door, row: Mapping[str, Any], *, note: str | None
) -> dict[str, Any]:
    values = door.registry.shapes["task"].clean_values(row) | {"stage": "done"}
    if note is not None:
        values["note"] = note
    return change(connection, "task", row, values=values)


def _placing(
    connection: sa.Connection, door: Door, officer: Officer, *, row: Mapping[str, Any], person: str
) -> list[dict[str, Any]]:
    found = resident(connection, person)
    act = _row(connection, tables.act, row["act"])
    if found is None or act is None:
        message = "Indiquez une personne de ce registre qui vit dans un ménage."
        raise refuse([{"field": "person", "message": message}])
    require(officer, _commune(door, found), node_kind=door.standing.kind)
    link = tables.link.c
    ids = [found["id"], *merged_ids(connection, person_table, found["id"])]
    other = sa.select(link.act).where(link.person.in_(ids), link.act != act["id"]).limit(1)
    if (held := connection.scalar(other)) is not None:
        raise PERSON_HAS_ACT(act=held)
    values = door.registry.shapes["act"].clean_values(act)
    named = reference(act["office"], act["volume"], year=act["year"], number=act["number"])
    return recognise_child(
        connection, values, found, birth=row["birth"], act=act["id"], reference=named
    ).operations


def _shown(connection: sa.Connection, door: Door, row: Mapping[str, Any]) -> dict[str, Any]:
    """The task as TaskDone describes it, with the child linked to its act."""
    link = tables.link.c
    query = sa.select(link.person, link.household).where(link.act == row["act"]).order_by(link.id).limit(1)
    child = connection.execute(query).one_or_none() if row["act"] is not None else None
    task = {name: row[name] for name in ("id", *door.registry.shapes["task"].fields)}
    person, household = child if child is not None else (None, None)
    return task | {"person": person, "household": household}


def _task_row(connection: sa.Connection, task: str) -> Mapping[str, Any]:
    row = _row(connection, tables.task, task)
    if row is None:
        raise TASK_UNKNOWN()
    return row


def _row(connection: sa.Connection, table: sa.Table, identity: str | None) -> Mapping[str, Any] | None:
    found = connection.execute(sa.select(table).where(table.c.id == identity)).mappings().one_or_none()
    return dict(found) if found is not None else None


def _commune(door: Door, row: Mapping[str, Any]) -> str | None:
    return door.areas.commune(door.areas.code(row["area"]))
