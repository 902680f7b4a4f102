"""Writing a note in the margin of a registered act: what its type allows is changed in the way the act reads, never in
the act itself; the child's file follows in the same signed batch. Annuls nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.child import amend_child, child_of
from app.civil.declaration import FieldError, contradictions, refuse
from app.civil.finding import act_row
from app.civil.margins.reading import Reading, read_act
from app.civil.margins.wording import note_text
from app.civil.tables import annotation
from app.clock import stamp
from app.errors import problem
from app.law.annotations import AnnotationType, annotation_type, annotation_types
from app.ledger.bulk import lock_door
from app.ledger.door import Door
from app.ledger.node import require_caught_up

ACT_ANNULLED = problem(
    "act_annulled", 409, "Acte annulé", "Rien ne s'inscrit plus en marge d'un acte qu'un tribunal a annulé."
)

Operation = dict[str, Any]
_BESIDE = frozenset({"officer_name", "delay_article"})


@dataclass(frozen=True, slots=True)
class Note:
    """What the registrar says of a note: type, who decided, under which number, on which day (AAAA-MM-JJ), the text
    (None: generated) and what it changes (field → new value, null = emptied)."""

    type: str
    authority: str | None
    court: str | None
    reference: str
    date: str
    text: str | None
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """An act with all its notes: its row, what it said when drawn up, the notes' clean values, its commune."""

    row: Mapping[str, Any]
    original: dict[str, Any]
    notes: list[dict[str, Any]]
    commune: str | None

    def reading(self, on: date | None = None) -> Reading:
        """The act as it reads on a day."""
        return read_act(self.original, self.notes, on=on)


def open_file(connection: sa.Connection, door: Door, act: str) -> File:
    """The act of this id with its notes; raises `act_unknown` (404)."""
    row = act_row(connection, act)
    values = door.registry.shapes["act"].clean_values(row)
    beside = values.pop("facts", None)
    facts = (
        {name: value for name, value in beside.items() if name not in _BESIDE}
        if isinstance(beside, dict)
        else {}
    )
    shape = door.registry.shapes["annotation"]
    found = connection.execute(sa.select(annotation).where(annotation.c.act == act)).mappings()
    notes = [shape.clean_values(dict(each)) | {"id": each["id"]} for each in found]
    return File(row, facts | values, notes, door.areas.commune(door.areas.code(row["area"])))


def annotate(
    connection: sa.Connection, door: Door, officer: Officer, *, act: str, note: Note, today: date
) -> tuple[str, list[dict[str, str]]]:
    """Write one note on `today` in the caller's transaction: (its id, warnings).

    One signed batch: the note, and what it changes in the registers of the child's person, as evidence `act`. Raises
    `act_unknown` 404, `other_commune` 403, `act_annulled` 409, `invalid_input` 422, `catching_up` 503.
    """
    lock_door(connection)
    require_caught_up(connection)
    file = open_file(connection, door, act)
    require(officer, file.commune, node_kind=door.standing.kind)
    before = file.reading()
    if before.annulled_by is not None:
        raise ACT_ANNULLED()
    known = _known_type(note.type, today)
    changes = _settled(note.changes)
    _require_possible(connection, door, file=file, known=known, note=note, changes=changes, today=today)
    decided = note.court or note.authority or known.decided_by
    text = note.text or note_text(
        known,
        authority=decided,
        reference=note.reference,
        day=note.date,
        before=before.facts,
        changes=changes,
    )
    said = {
        "type": known.code,
        "authority": note.authority or known.decided_by,
        "court": note.court,
        "reference": note.reference,
        "date": note.date,
        "text": text,
        "changes": changes or None,
    }
    operation = note_operation(door, officer, act=file.row, said=said, today=today)
    operations = [operation]
    child = child_of(connection, file.row)
    if changes and child is not None:
        after = read_act(file.original, [*file.notes, operation["set"] | {"id": operation["id"]}])
        operations.append(amend_child(connection, child, after.facts, changed=set(changes)))
    door.write(connection, operations, by=officer.id)
    missing = {"code": "court_missing", "field": "court", "message": "Indiquez le tribunal qui a décidé."}
    return operation["id"], [missing] if known.authority == "court" and note.court is None else []


def note_operation(
    door: Door,
    officer: Officer,
    *,
    act: Mapping[str, Any],
    said: Mapping[str, Any],
    today: date,
    identity: str | None = None,
) -> Operation:
    """The operation that writes a note beside `act` (id, birth, commune): what is `said`, by whom and when."""
    values = {
        "act": act["id"],
        "birth": act["birth"],
        "commune": act["commune"],
        **said,
        "recorded_on": today.isoformat(),
        "recorded_at": stamp(door.clock.clock.now()),
        "recorded_by": officer.id,
        "recorded_name": officer.name,
    }
    kept = {name: value for name, value in values.items() if value is not None}
    return {"kind": "annotation", "id": identity or str(uuid.uuid4()), "new": True, "set": kept}


def _known_type(name: str, today: date) -> AnnotationType:
    known = annotation_type(name, today)
    if known is None or not known.by_officer:
        listed = ", ".join(each.code for each in annotation_types(today) if each.by_officer)
        raise refuse([_error("type", f"Indiquez un type de mention de la liste : {listed}.")])
    return known


def _settled(changes: Mapping[str, Any]) -> dict[str, Any]:
    """A new date of birth takes the place of the old one whole, with its precision and its words."""
    found = dict(changes)
    if "birth_date" in found:
        length = len(found["birth_date"] or "")
        found.setdefault("birth_precision", {4: "year", 7: "month", 10: "day"}.get(length))
        found.setdefault("birth_words", None)
    return found


def _require_possible(
    connection: sa.Connection,
    door: Door,
    *,
    file: File,
    known: AnnotationType,
    note: Note,
    changes: Mapping[str, Any],
    today: date,
) -> None:
    errors: list[FieldError] = []
    if note.date > today.isoformat():
        errors.append(_error("date", "La décision est datée dans l'avenir."))
    born = file.original.get("birth_date", "")
    if note.date < born[: len(note.date)]:
        errors.append(_error("date", "La décision est antérieure à la naissance."))
    refused = sorted(set(changes) - known.changes)
    errors += (
        _error(f"changes.{name}", f"Une mention « {known.label} » ne change pas ce champ.")
        for name in refused
    )
    after = {
        name: value for name, value in (file.reading().facts | dict(changes)).items() if value is not None
    }
    errors += (
        _error(f"changes.{each['field']}", each["message"])
        for each in contradictions(connection, after, door, today=today)
        if each["field"] in changes
    )
    if not any(name in after for name in ("nom", "postnom", "prenom")):
        errors.append(_error("changes", "L'enfant n'aurait plus de nom."))
    if errors:
        raise refuse(errors)


def _error(field: str, message: str) -> FieldError:
    return {"field": field, "message": message}
