"""Acts as they are to be printed: what was drawn up, what the notes in the margin made of it, whether a court annulled
it. Writes nothing; whose communes may be read is asked by the caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.civil import tables
from app.civil.finding import ACT_UNKNOWN
from app.civil.margins.reading import read_act
from app.civil.tables import annotation
from app.ledger.door import Door

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class ActToPrint:
    """One act: its `original` facts, its `reading` after the notes, the notes' texts in order, and the day of the
    judgment that annulled it (None = it stands; empty = the day is not known)."""

    id: str
    birth: str | None
    commune: str
    original: Mapping[str, Any]
    reading: Mapping[str, Any]
    notes: Sequence[str]
    annulled_on: str | None
    persons: Sequence[str]


def acts_to_print(connection: sa.Connection, door: Door, acts: Sequence[str]) -> list[ActToPrint]:
    """These acts (ids) in this order, in two queries for every five hundred; raises `act_unknown` (404)."""
    found: dict[str, ActToPrint] = {}
    for at in range(0, len(acts), _CHUNK):
        part = acts[at : at + _CHUNK]
        rows = connection.execute(sa.select(tables.act).where(tables.act.c.id.in_(part))).mappings().all()
        notes = _notes(connection, door, part)
        found |= {row["id"]: _act(door, dict(row), notes.get(row["id"], [])) for row in rows}
    if any(act not in found for act in acts):
        raise ACT_UNKNOWN()
    return [found[act] for act in acts]


def _notes(connection: sa.Connection, door: Door, acts: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    shape = door.registry.shapes["annotation"]
    rows = connection.execute(sa.select(annotation).where(annotation.c.act.in_(acts))).mappings()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["act"], []).append(shape.clean_values(dict(row)) | {"id": row["id"]})
    return found


def _act(door: Door, row: Mapping[str, Any], notes: list[dict[str, Any]]) -> ActToPrint:
    values = door.registry.shapes["act"].clean_values(row)
    beside = values.pop("facts", None)
    original = (beside if isinstance(beside, dict) else {}) | values
    reading = read_act(original, notes)
    return ActToPrint(
        row["id"],
        row["birth"],
        door.areas.commune(door.areas.code(row["area"])) or "",
        original,
        reading.facts,
        [_note_text(note) for note in reading.notes],
        reading.annulled_by.get("date", "") if reading.annulled_by is not None else None,
        [each for each in (row["person"], row["mother"], row["father"]) if each is not None],
    )


def _note_text(note: Mapping[str, Any]) -> str:
    if note.get("text"):
        return str(note["text"])
    parts = (
        note.get("type"),
        note.get("authority") or note.get("court"),
        note.get("reference"),
        note.get("date"),
    )
    return ", ".join(str(part) for part in parts if part)
