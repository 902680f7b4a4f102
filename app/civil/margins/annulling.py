"""An act is annulled only by a court: one officer writes the decision down, another confirms it, and only then a note
takes the act out of the books' effect. The act itself stays where it is, with its number."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.access.paging import Position
from app.civil import tables
from app.civil.act import reference
from app.civil.child import child_of, name_act, release_child
from app.civil.declaration import FieldError, refuse
from app.civil.margins.noting import ACT_ANNULLED, File, note_operation, open_file
from app.civil.margins.tables import annulment
from app.civil.margins.wording import annulment_line
from app.civil.standing import annulled, annulment_note
from app.clock import stamp
from app.errors import problem
from app.law.annotations import ANNULMENT, annotation_type
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.door import Door
from app.ledger.entities import merged_ids
from app.ledger.node import require_caught_up
from app.population.tables import person

ANNULMENT_UNKNOWN = problem(
    "annulment_unknown", 404, "Annulation inconnue", "Vérifiez l'identifiant de l'annulation."
)
ANNULMENT_PROPOSED = problem(
    "annulment_proposed",
    409,
    "Une annulation attend déjà",
    "Un autre officier la confirme, ou elle est retirée (GET /v1/annulments).",
)
ANNULMENT_SETTLED = problem(
    "annulment_settled", 409, "Annulation déjà confirmée ou retirée", "Relisez-la (GET /v1/annulments)."
)
SAME_OFFICER = problem(
    "same_officer",
    409,
    "Un autre officier doit confirmer",
    "Qui a inscrit la décision ne la confirme pas : demandez à un autre officier de l'état civil.",
)

# What an act counts for in the figures; the note that annuls it carries them, so that they are taken away exactly.
COUNTED = ("commune", "year", "registered_on", "birth_date", "delay", "sex", "mode", "mother_quartier")


@dataclass(frozen=True, slots=True)
class Decision:
    """The court's decision: court, number, day (AAAA-MM-JJ), and a text where the registrar gives one."""

    court: str
    reference: str
    date: str
    text: str | None


def propose(
    connection: sa.Connection, door: Door, officer: Officer, *, act: str, decision: Decision, today: date
) -> dict[str, Any]:
    """Write down, on `today`, that a court annulled this act; nothing changes before another officer confirms it.

    Raises `act_unknown` 404, `other_commune` 403, `act_annulled` 409, `annulment_proposed` 409, `invalid_input` 422.
    """
    lock_door(connection)
    require_caught_up(connection)
    file = _standing_file(connection, door, officer, act=act)
    waiting = sa.select(annulment.c.id).where(annulment.c.act == act, annulment.c.stage == "proposed")
    if (found := connection.scalar(waiting.limit(1))) is not None:
        raise ANNULMENT_PROPOSED(annulment=found)
    if errors := list(_impossible(file, decision, today=today)):
        raise refuse(errors)
    identity = str(uuid.uuid4())
    line = annulment_line(decision.court, reference=decision.reference, day=decision.date)
    values = {
        "act": act,
        "commune": file.commune,
        "court": decision.court,
        "reference": decision.reference,
        "date": decision.date,
        "text": decision.text or line,
        "proposed_on": today.isoformat(),
        "proposed_at": stamp(door.clock.clock.now()),
        "proposed_by": officer.id,
        "proposed_name": officer.name,
        "stage": "proposed",
    }
    door.write(connection, [{"kind": "annulment", "id": identity, "new": True, "set": values}], by=officer.id)
    return _shown(connection, door, identity)


def confirm(
    connection: sa.Connection, door: Door, officer: Officer, *, proposal: str, today: date
) -> dict[str, Any]:
    """A second officer confirms: the act is annulled on `today`, in one signed batch.

    The batch holds the note in the margin, which takes the act out of the figures, and what follows for the child's
    file. Raises `annulment_unknown` 404, `other_commune` 403, `same_officer` 409, `annulment_settled` 409,
    `act_annulled` 409.
    """
    row = _open_row(connection, door, officer, identity=proposal)
    if row["proposed_by"] == officer.id:
        raise SAME_OFFICER()
    file = _standing_file(connection, door, officer, act=row["act"])
    known = annotation_type(ANNULMENT, today)
    note = note_operation(
        door,
        officer,
        act=file.row,
        said={
            "type": ANNULMENT,
            "authority": known.decided_by if known is not None else None,
            "court": row["court"],
            "reference": row["reference"],
            "date": row["date"],
            "text": row["text"],
            "confirmed_by": officer.id,
            "confirmed_name": officer.name,
            "facts": {name: file.original[name] for name in COUNTED if name in file.original},
        },
        today=today,
        identity=annulment_note(file.row["id"]),
    )
    note["set"] |= {"recorded_by": row["proposed_by"], "recorded_name": row["proposed_name"]}
    settled = {
        "stage": "confirmed",
        "confirmed_on": today.isoformat(),
        "confirmed_at": stamp(door.clock.clock.now()),
        "confirmed_by": officer.id,
        "confirmed_name": officer.name,
        "annotation": note["id"],
    }
    operations = [
        note,
        change(connection, "annulment", row, values=settled),
        *_released(connection, door, file),
    ]
    door.write(connection, operations, by=officer.id)
    return _shown(connection, door, proposal)


def withdraw(
    connection: sa.Connection, door: Door, officer: Officer, *, proposal: str, note: str | None
) -> dict[str, Any]:
    """Take back what was only proposed.

    Raises `annulment_unknown` 404, `other_commune` 403, `annulment_settled` 409.
    """
    row = _open_row(connection, door, officer, identity=proposal)
    values = {"stage": "withdrawn"} | ({"note": note} if note is not None else {})
    door.write(connection, [change(connection, "annulment", row, values=values)], by=officer.id)
    return _shown(connection, door, proposal)


def annulments(
    connection: sa.Connection,
    door: Door,
    *,
    communes: Collection[str] | None,
    stage: str | None,
    after: Position | None,
    limit: int,
) -> tuple[list[dict[str, Any]], Position | None]:
    """Annulments of these communes (None = all), last written first, and where the next page begins."""
    table = annulment
    place = (table.c.area, table.c.seq, table.c.id)
    query = sa.select(table).order_by(*(column.desc() for column in place)).limit(limit + 1)
    if communes is not None:
        query = query.where(table.c.commune.in_(sorted(communes)))
    if stage is not None:
        query = query.where(table.c.stage == stage)
    if after is not None:
        reached = (sa.literal(value, column.type) for value, column in zip(after, place, strict=True))
        query = query.where(sa.tuple_(*place) < sa.tuple_(*reached))
    rows = connection.execute(query).mappings().all()
    fields = door.registry.shapes["annulment"].fields
    items = [{name: row[name] for name in ("id", *fields)} for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return items, (last["area"], last["seq"], last["id"]) if last is not None else None


def _released(connection: sa.Connection, door: Door, file: File) -> list[dict[str, Any]]:
    """The annulled act counts no more in its child's file: another act of the child does, or none."""
    child, row = child_of(connection, file.row), file.row
    if child is None or child["birth_act_ref"] != _named(row):
        return []
    link = tables.link.c
    ids = [child["id"], *merged_ids(connection, person, child["id"])]
    others = sa.select(link.act).where(link.person.in_(ids), link.act != row["id"], ~annulled(link.act))
    if (held := connection.scalar(others.order_by(link.id).limit(1))) is None:
        return [release_child(connection, child, file.original)]
    other = open_file(connection, door, held)
    return [name_act(connection, child, other.reading().facts, reference=_named(other.row))]


def _named(row: Mapping[str, Any]) -> str:
    return reference(row["office"], row["volume"], year=row["year"], number=row["number"])


def _standing_file(connection: sa.Connection, door: Door, officer: Officer, *, act: str) -> File:
    file = open_file(connection, door, act)
    require(officer, file.commune, node_kind=door.standing.kind)
    if file.reading().annulled_by is not None:
        raise ACT_ANNULLED()
    return file


def _open_row(connection: sa.Connection, door: Door, officer: Officer, *, identity: str) -> Mapping[str, Any]:
    lock_door(connection)
    require_caught_up(connection)
    row = _row(connection, identity)
    require(officer, door.areas.commune(door.areas.code(row["area"])), node_kind=door.standing.kind)
    if row["stage"] != "proposed":
        raise ANNULMENT_SETTLED()
    return row


def _row(connection: sa.Connection, identity: str) -> Mapping[str, Any]:
    query = sa.select(annulment).where(annulment.c.id == identity)
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise ANNULMENT_UNKNOWN()
    return dict(found)


def _shown(connection: sa.Connection, door: Door, identity: str) -> dict[str, Any]:
    row = _row(connection, identity)
    return {name: row[name] for name in ("id", *door.registry.shapes["annulment"].fields)}


def _impossible(file: File, decision: Decision, *, today: date) -> list[FieldError]:
    if decision.date > today.isoformat():
        return [{"field": "date", "message": "La décision est datée dans l'avenir."}]
    if decision.date < file.original.get("registered_on", ""):
        return [{"field": "date", "message": "La décision est antérieure à l'acte."}]
    return []
