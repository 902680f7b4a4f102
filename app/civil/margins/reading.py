"""The act as it reads on a day: the facts it was drawn up with and the notes in its margin up to that day. Pure: order
of arrival does not matter, and nothing is ever taken from the original."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.law.annotations import ANNULMENT

Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an act says: its facts (an emptied one is left out), the notes that count in order, the one that annuls."""

    facts: dict[str, Any]
    notes: tuple[Note, ...]
    annulled_by: Note | None


def read_act(original: Mapping[str, Any], notes: Collection[Note], *, on: date | None = None) -> Reading:
    """The act with the notes dated up to `on` (included; None = all of them).

    `notes` are clean values of annotations with their `id`. The later decision prevails, whichever came first; a note
    without a date counts from the beginning. Of several annulments the earliest is named.
    """
    counting = [note for note in in_order(notes) if on is None or note.get("date", "") <= on.isoformat()]
    facts = dict(original)
    for note in counting:
        changes = note.get("changes")
        facts |= changes if isinstance(changes, dict) else {}
    annulling = next((note for note in counting if note.get("type") == ANNULMENT), None)
    kept = {name: value for name, value in facts.items() if value is not None}
    return Reading(kept, tuple(counting), annulling)


def in_order(notes: Collection[Note]) -> list[Note]:
    """Notes by their own date, then by when they were recorded: the same order on every server."""
    return sorted(notes, key=lambda note: (note.get("date", ""), note.get("recorded_at", ""), note["id"]))
