"""Correcting a declaration at the desk, as long as no act stands: what the officer has seen is replaced, and so settled
where values disputed it. A registered act is never corrected: the refusal names the margin note to ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.civil.consultation import BirthFile, birth_file
from app.civil.declaration import FieldError, contradictions, delay, refuse
from app.civil.finding import birth_row, births_of
from app.civil.plausibility import look_over
from app.civil.registration import DECLARATION_VOID
from app.civil.same_child import declared_twice
from app.civil.standing import already_registered, standing_act
from app.clock import stamp
from app.law.annotations import CHANGEABLE, annotation_types
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.desk import Desk
from app.ledger.history import check_tag
from app.ledger.tables import conflict
from app.ledger.values import complete_date
from sync.catalogue import CATALOGUE
from sync.merge import canonical

# Without them nobody could say where a declaration lies nor judge its delay.
_KEPT = ("commune", "declared_on")
_CHANGEABLE = frozenset(field for fields in CHANGEABLE.values() for field in fields)
_BIRTH = CATALOGUE["birth"]

Values = Mapping[str, Any]


def correct(
    connection: sa.Connection, desk: Desk, *, birth: str, given: Values, if_match: str | None
) -> tuple[BirthFile, list[dict[str, str]]]:
    """Change the fields `given` (None empties) of a declaration seen under `if_match`, in the caller's transaction.

    Gives the file as it stands then, journalled as read, and what somebody should look at. Raises `birth_unknown` 404,
    `other_commune` 403, `precondition_required` 428, `precondition_failed` 412, `declaration_void` 409,
    `already_registered` 409, `invalid_input` 422.
    """
    lock_door(connection)
    door, today = desk.door, desk.door.clock.clock.today()
    seen = birth_file(connection, door, birth=birth)
    desk.require(seen.commune)
    check_tag(seen.etag, if_match)
    row = birth_row(connection, birth)
    if row["void"]:
        raise DECLARATION_VOID()
    if (act := standing_act(connection, births_of(connection, row["id"]))) is not None:
        raise already_registered(act, _margin_note(given, act["id"], today=today))
    values = complete_date(desk, _BIRTH.register_of["birth_date"], given=given, shown=seen.values)
    if errors := _errors(connection, desk, values, seen=seen, today=today):
        raise refuse(errors)
    if values.get("commune") is not None:
        desk.require(values["commune"])
    if written := _written(connection, row, door.registry.shape("birth").values_of(row), values=values):
        operation = change(connection, "birth", row, values=written) | {"at": stamp(desk.at)}
        door.write(connection, [operation], by=desk.officer.id)
    return _answer(connection, desk, birth)


def _answer(connection: sa.Connection, desk: Desk, birth: str) -> tuple[BirthFile, list[dict[str, str]]]:
    found = birth_file(connection, desk.door, birth=birth)
    shown = [("birth", birth, found.commune), *(("person", each, found.commune) for each in found.persons)]
    desk.journal_of(connection, shown)
    identity, values = found.shown["id"], found.values
    warnings = look_over(connection, desk.door, values, answer=delay(values), birth=identity)
    alike = declared_twice(connection, desk.door, desk.officer, birth=identity, route=desk.route)
    return found, [*warnings, *alike]


def _errors(
    connection: sa.Connection, desk: Desk, values: Values, *, seen: BirthFile, today: date
) -> list[FieldError]:
    """What cannot be true of the declaration as it would stand."""
    message = "Ce champ se corrige, il ne s'efface pas."
    emptied = [
        {"field": name, "message": message} for name in _KEPT if name in values and values[name] is None
    ]
    after = {"commune": seen.commune, **seen.values, **values}
    stated = {name: value for name, value in after.items() if value is not None}
    return emptied or contradictions(connection, stated, desk.door, today=today)


def _written(connection: sa.Connection, row: Values, shown: Values, *, values: Values) -> dict[str, Any]:
    """The fields to write: whole registers that say something else now, or in which several values stand."""
    open_cases = conflict.c.kind == "birth", conflict.c.id == row["id"]
    contested = set(connection.execute(sa.select(conflict.c.register).where(*open_cases)).scalars())
    written: dict[str, Any] = {}
    for register in {_BIRTH.register_of[name].name: _BIRTH.register_of[name] for name in values}.values():
        wanted = {name: values.get(name) if name in values else shown.get(name) for name in register.fields}
        changed = any(canonical(value) != canonical(shown.get(name)) for name, value in wanted.items())
        if changed or register.name in contested:
            written |= wanted
    return written


def _margin_note(given: Values, act: str, *, today: date) -> str:
    """Which notes in the margin change what was to be corrected (French); '' where nothing was."""
    wanted = given.keys() & _CHANGEABLE
    notes = [
        f"{each.code} ({each.label}, {each.article or 'article à confirmer'} : {each.decided_by})"
        for each in annotation_types(today)
        if each.by_officer and wanted and wanted <= each.changes
    ]
    said = []
    if notes:
        ask = f"demandez une mention marginale (POST /v1/acts/{act}/annotations)"
        said.append(f"Pour {', '.join(sorted(wanted))}, {ask} : {' ou '.join(notes)}.")
    if left := given.keys() - wanted:
        said.append(f"Aucune mention marginale ne change : {', '.join(sorted(left))}.")
    return " ".join(said)
