"""Recording one dated step of a file, or correcting it: the date must fit what is recorded already, what was written
before stays in the operations. A missing step refuses nothing here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.officers import Officer
from app.civil.declaration import FieldError, refuse
from app.civil.finding import birth_row
from app.civil.late.course import CLOSED, DAY, SAID, UNDETERMINED, asked_on, court_for, path_of
from app.civil.late.files import File, campaign_row, open_file
from app.civil.late.opening import joining, name_campaign
from app.errors import problem
from app.law.late import Step
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.door import Door
from app.ledger.node import require_caught_up

PROCEDURE_CLOSED = problem(
    "procedure_closed", 409, "Dossier clos", "Rien ne s'ajoute à un dossier clos ; ouvrez-en un autre."
)


def record_step(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    procedure: str,
    step: str,
    said: Mapping[str, Any],
    today: date,
) -> File:
    """Record one step in the caller's transaction; recorded before, it is corrected.

    `said` holds `on` (AAAA-MM-JJ) and what goes with the step: court, number, outcome, to, slip, campaign, note.
    Raises `procedure_unknown` 404, `other_commune` 403, `procedure_closed` 409, `campaign_unknown` 404,
    `invalid_input` 422 (a date in the future or out of order, a step of another path).
    """
    lock_door(connection)
    require_caught_up(connection)
    file = open_file(connection, door, officer, procedure=procedure)
    if file.values.get("closed_on"):
        raise PROCEDURE_CLOSED()
    if errors := list(_wrong(file, step, said, today=today)):
        raise refuse(errors)
    values = _values(step, said)
    operations: list[dict[str, Any]] = []
    after = file.values | values
    if "campaign" in values:
        joined = campaign_row(connection, values["campaign"], commune=file.commune)
        operations += name_campaign(connection, birth_row(connection, file.birth.id), joined)
    else:
        joined = file.campaign or {}
    if step == "requested" or "campaign" in values:
        values["court_kind"] = court_for(after, file.birth, today=today).code or UNDETERMINED
        on = asked_on(after, today=today)
        values |= joining(joined, file.birth, asked_on=on) if joined else {}
    operations.append(change(connection, "procedure", file.row, values=values))
    door.write(connection, operations, by=officer.id)
    return open_file(connection, door, officer, procedure=procedure)


def _values(step: str, said: Mapping[str, Any]) -> dict[str, Any]:
    if step == CLOSED:
        return {"closed_on": said["on"], "closed_reason": said["note"]}
    values = {DAY[step]: said["on"]}
    values |= {kept: said[name] for name, kept in SAID[step].items() if name in said}
    if step == "judged":
        values.setdefault("outcome", "granted")
    return values | ({"note": said["note"]} if "note" in said else {})


def _wrong(file: File, step: str, said: Mapping[str, Any], *, today: date) -> Iterable[FieldError]:
    path = path_of(file.values)
    if step != CLOSED and step not in {each.step for each in path}:
        yield _error("step", "Cette étape n'est pas de la voie de ce dossier.")
        return
    for name in said.keys() - {"on", "note"} - SAID[step].keys():
        yield _error(name, "Ce champ ne va pas avec cette étape.")
    if step == CLOSED and "note" not in said:
        yield _error("note", "Dites pourquoi le dossier est clos.")
    if step == "judged" and said.get("outcome", "granted") == "granted":
        if "number" not in said and not file.values.get("judgment_number"):
            yield _error("number", "Donnez le numéro du jugement.")
        if "court" not in said and not file.values.get("court"):
            yield _error("court", "Donnez le tribunal qui a jugé.")
    yield from _out_of_order(file, step, said["on"], path=path, today=today)


def _out_of_order(
    file: File, step: str, on: str, *, path: tuple[Step, ...], today: date
) -> Iterable[FieldError]:
    if on > today.isoformat():
        yield _error("on", "Cette étape est datée dans l'avenir.")
        return
    born = file.birth.values.get("birth_date")
    if born is not None and on < born[: len(on)]:
        yield _error("on", "Cette étape est antérieure à la naissance.")
    names = [each.step for each in path]
    own = names.index(step) if step in names else len(names)
    for at, other in enumerate(path):
        day = file.values.get(DAY[other.step])
        if day is None or at == own:
            continue
        if (at < own and day > on) or (at > own and day < on):
            order = "antérieure" if at < own else "postérieure"
            shown = f"{date.fromisoformat(day):%d/%m/%Y}"
            yield _error("on", f"Cette date est {order} à une étape déjà notée : {other.label} ({shown}).")


def _error(field: str, message: str) -> FieldError:
    return {"field": field, "message": message}
