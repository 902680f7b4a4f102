"""An act with its margin as REST shows it: what it said when it was drawn up, how it reads on a day, every note."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.civil.child import child_of
from app.civil.margins.noting import File
from app.civil.margins.reading import in_order
from app.civil.margins.wording import annulment_line
from app.law.annotations import annotation_type

_PLACE = (
    *("id", "birth", "commune", "office", "year", "volume", "number", "folio", "registered_on"),
    "delay",
)
_NOTE = (
    *("id", "type", "authority", "court", "reference", "date", "text", "changes"),
    *("recorded_on", "recorded_by", "recorded_name", "confirmed_name"),
)
_PEOPLE = ("person", "mother", "father")


def shown_act(connection: sa.Connection, file: File, *, on: date) -> tuple[dict[str, Any], list[str]]:
    """The act as ActFile describes it, read on a day, and the persons it names by id."""
    row, reading, now = file.row, file.reading(on), file.reading()
    child = child_of(connection, row)
    judgment = {name: row[f"judgment_{name}"] for name in ("court", "number", "date")}
    counting = {note["id"] for note in reading.notes}
    fields = sorted(file.original.keys() | reading.facts.keys())
    shown = {name: row[name] for name in _PLACE} | {
        "person": child["id"] if child is not None else None,
        "judgment": judgment if any(judgment.values()) else None,
        "on": on.isoformat(),
        "stands": reading.annulled_by is None,
        "annulled": now.annulled_by is not None,
        "line": _line(reading.annulled_by or now.annulled_by, len(counting)),
        "reads": reading.facts,
        "original": file.original,
        "changed": [name for name in fields if file.original.get(name) != reading.facts.get(name)],
        "notes": [shown_note(note, on) | {"counts": note["id"] in counting} for note in in_order(file.notes)],
    }
    named = [shown["person"], *(reading.facts.get(name) for name in _PEOPLE)]
    return shown, [each for each in dict.fromkeys(named) if isinstance(each, str)]


def shown_note(note: Mapping[str, Any], on: date) -> dict[str, Any]:
    """One note (clean values with its id) as Noted describes it; its type is named as on that day."""
    known = annotation_type(note.get("type", ""), on)
    return {name: note.get(name) for name in _NOTE} | {"label": known.label if known else None}


def _line(annulling: Mapping[str, Any] | None, notes: int) -> str:
    if annulling is not None:
        return annulment_line(
            annulling.get("court", "tribunal"),
            reference=annulling.get("reference", "?"),
            day=annulling.get("date", ""),
        )
    return f"Acte en vigueur, {notes or 'sans'} mention{'s' if notes > 1 else ''}."
