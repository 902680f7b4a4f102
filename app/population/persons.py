"""Persons: writing one down, changing him, reading him and what was ever written of him. Every read is journalled."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.errors import problem
from app.ledger.desk import Desk, Row, invalid
from app.ledger.history import check_precondition
from app.population.corrections import (
    change,
    check_codes,
    complete_birth_date,
    find_row,
    locked_row,
    write_down,
)
from app.population.records import show, tell_history
from app.population.tables import household, person

PERSON_NOT_FOUND = problem("person_not_found", 404, "Personne inconnue", "Vérifiez l'identifiant.")
HOUSEHOLD_UNKNOWN = problem(
    "household_unknown",
    422,
    "Ménage inconnu",
    "Inscrivez d'abord le ménage (POST /v1/households), puis la personne.",
)


def write_person_down(
    connection: sa.Connection, desk: Desk, values: Mapping[str, Any], *, evidence: str
) -> dict[str, Any]:
    """Write a new person down, in a household known here where one is named. Raises `household_unknown` (422)."""
    if all(value is None for value in values.values()):
        raise invalid("nom", "Indiquez au moins un nom ou le ménage.")
    _check(connection, desk, values)
    if values.get("household") is None:
        if desk.door.standing.commune is None:
            raise invalid("household", "Sur ce serveur une personne s'inscrit dans un ménage.")
        desk.require(desk.door.standing.commune)
    completed = complete_birth_date(desk, values, shown={})
    identity = str(uuid.uuid4())
    write_down(connection, desk, "person", identity=identity, values=completed, evidence=evidence)
    return _shown(connection, desk, identity)


def change_person(
    connection: sa.Connection,
    desk: Desk,
    identity: str,
    *,
    values: Mapping[str, Any],
    if_match: str | None,
    evidence: str,
) -> dict[str, Any]:
    """Change a person; another household takes him to its area."""
    row = _seen(desk, locked_row(connection, person, identity))
    check_precondition(row, if_match)
    _check(connection, desk, values)
    for parent in ("mother", "father"):
        if values.get(parent) == identity:
            raise invalid(parent, "Une personne n'est pas son propre parent.")
    shown = desk.door.registry.shape("person").clean_values(row)
    completed = complete_birth_date(desk, values, shown=shown)
    change(connection, desk, "person", row=row, values=completed, evidence=evidence)
    found = _shown(connection, desk, identity)
    desk.journal(connection, [row])
    return found


def read_person(connection: sa.Connection, desk: Desk, identity: str) -> dict[str, Any]:
    """One person, as shown now; the read is journalled in the same transaction."""
    row = _seen(desk, find_row(connection, person, identity))
    desk.journal(connection, [row])
    return show(connection, desk, "person", rows=[row])[0]


def read_person_history(connection: sa.Connection, desk: Desk, identity: str) -> dict[str, Any]:
    """Everything ever written of a person; the read is journalled in the same transaction."""
    row = _seen(desk, find_row(connection, person, identity))
    desk.journal(connection, [row])
    return tell_history(connection, "person", row)


def _check(connection: sa.Connection, desk: Desk, values: Mapping[str, Any]) -> None:
    check_codes(desk, "person", values=values)
    home = values.get("household")
    if home is not None:
        row = find_row(connection, household, home)
        if row is None:
            raise HOUSEHOLD_UNKNOWN()
        desk.require(desk.commune_of(row))


def _seen(desk: Desk, row: Row | None) -> Row:
    if row is None:
        raise PERSON_NOT_FOUND()
    desk.require(desk.commune_of(row))
    return row


def _shown(connection: sa.Connection, desk: Desk, identity: str) -> dict[str, Any]:
    row = _seen(desk, find_row(connection, person, identity))
    return show(connection, desk, "person", rows=[row])[0]
