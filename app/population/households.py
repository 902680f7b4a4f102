"""Households: writing one down, changing it, listing them, and who lives there. Every person shown is journalled."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.errors import problem
from app.ledger.desk import Desk, Row, invalid
from app.ledger.entities import in_lists, merged_ids
from app.ledger.history import check_precondition
from app.population.corrections import (
    change,
    check_codes,
    find_row,
    find_rows,
    locked_row,
    write_down,
)
from app.population.records import show, tell_history
from app.population.tables import household, person

HOUSEHOLD_NOT_FOUND = problem(
    "household_not_found", 404, "Ménage inconnu", "Vérifiez l'identifiant du ménage."
)


def write_household_down(
    connection: sa.Connection, desk: Desk, values: Mapping[str, Any], *, evidence: str
) -> dict[str, Any]:
    """Write a new household down; without a commune it lies in its quartier's, else in the officer's."""
    check_codes(desk, "household", values=values)
    placed = _place(desk, values, shown={"commune": desk.home} if desk.home else {})
    desk.require(placed["commune"])
    identity = str(uuid.uuid4())
    write_down(connection, desk, "household", identity=identity, values=placed, evidence=evidence)
    return _shown(connection, desk, identity)


def change_household(
    connection: sa.Connection,
    desk: Desk,
    identity: str,
    *,
    values: Mapping[str, Any],
    if_match: str | None,
    evidence: str,
) -> dict[str, Any]:
    """Change a household; its members move with it. It cannot be moved to a commune the officer does not see."""
    row = _seen(desk, locked_row(connection, household, identity))
    check_precondition(row, if_match)
    check_codes(desk, "household", values=values)
    if values.keys() & {"commune", "quartier"}:
        shown = desk.door.registry.shape("household").clean_values(row)
        values = _place(desk, values, shown={"commune": desk.commune_of(row)} | shown)
        desk.require(values["commune"])
    change(connection, desk, "household", row=row, values=values, evidence=evidence)
    return _shown(connection, desk, identity)


def read_household(connection: sa.Connection, desk: Desk, identity: str) -> dict[str, Any]:
    """A household with its members in the order of the card, those of households merged into it too."""
    row = _seen(desk, find_row(connection, household, identity))
    # The engines disagree on where NULL stands; whoever is not on the card yet comes last, the youngest at the end.
    order = (person.c.line.asc().nulls_last(), person.c.birth_date.asc().nulls_first(), person.c.id)
    homes = [row["id"], *merged_ids(connection, household, row["id"])]
    query = sa.select(person).where(person.c.household.in_(homes)).order_by(*order)
    members = find_rows(connection, query)
    desk.journal(connection, members)
    shown = show(connection, desk, "household", rows=[row])[0]
    return shown | {"members": show(connection, desk, "person", rows=members)}


def list_households(
    connection: sa.Connection, desk: Desk, *, areas: list[int] | None, after: str | None, limit: int
) -> list[dict[str, Any]]:
    """At most `limit` households of these areas (None = all) in the order of their ids, beginning after `after`."""
    query = sa.select(household).where(in_lists(household)).order_by(household.c.id).limit(limit)
    if areas is not None:
        query = query.where(household.c.area.in_(areas))
    if after is not None:
        query = query.where(household.c.id > after)
    return show(connection, desk, "household", rows=find_rows(connection, query))


def read_household_history(connection: sa.Connection, desk: Desk, identity: str) -> dict[str, Any]:
    """Everything ever written of a household."""
    return tell_history(connection, "household", _seen(desk, find_row(connection, household, identity)))


def _seen(desk: Desk, row: Row | None) -> Row:
    if row is None:
        raise HOUSEHOLD_NOT_FOUND()
    desk.require(desk.commune_of(row))
    return row


def _shown(connection: sa.Connection, desk: Desk, identity: str) -> dict[str, Any]:
    row = _seen(desk, find_row(connection, household, identity))
    return show(connection, desk, "household", rows=[row])[0]


def _place(desk: Desk, values: Mapping[str, Any], *, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the commune that follows from the quartier; both must say the same, and one must be known."""
    quartier = values["quartier"] if "quartier" in values else shown.get("quartier")
    commune = values.get("commune")
    if quartier is not None:
        home = desk.door.territory.commune_of(quartier)
        if commune is not None and home != commune:
            raise invalid("quartier", "Ce quartier n'est pas dans cette commune.")
        commune = home
    elif commune is None and "commune" not in values:
        commune = shown.get("commune")
    if commune is None:
        raise invalid("commune", "Indiquez la commune ou le quartier.")
    return {**values, "commune": commune}
