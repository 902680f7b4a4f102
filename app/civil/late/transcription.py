"""Transcribing a judgment: the act is drawn up in the register of the current year, its margin says why, and the file
is closed, in one signed batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.officers import Officer
from app.civil.drafting.drafts import replacing
from app.civil.late.course import Reason, missing_steps, reasons
from app.civil.late.files import File, open_file
from app.civil.late.steps import PROCEDURE_CLOSED
from app.civil.margins.noting import note_operation
from app.civil.registration import Act, Entry, register
from app.civil.wording import day_words
from app.errors import problem
from app.law.annotations import TRANSCRIPTION, annotation_type
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.door import Door

PROCEDURE_BLOCKED = problem(
    "procedure_blocked",
    409,
    "Le dossier ne peut pas encore être transcrit",
    "`reasons` dit ce qui manque : notez les étapes (POST /v1/procedures/{id}/steps).",
)


def transcribe(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    procedure: str,
    office: str,
    volume: str,
    folio: str | None,
    today: date,
) -> tuple[Act, str]:
    """Draw up the act on the file's judgment on `today`: (the act, the id of the note in its margin).

    Raises `procedure_unknown` 404, `procedure_closed` 409, `procedure_blocked` 409 with its `reasons`, and whatever
    `register` raises.
    """
    lock_door(connection)
    file = open_file(connection, door, officer, procedure=procedure)
    values = file.values
    if values.get("closed_on"):
        raise PROCEDURE_CLOSED(act=values.get("act"))
    if blocking := blocks(file, today=today):
        raise PROCEDURE_BLOCKED(
            " ".join(each.message for each in blocking),
            reasons=[{"code": each.code, "message": each.message} for each in blocking],
        )
    judgment = {"court": values["court"], "number": values["judgment_number"], "date": values["judged_on"]}
    notes: list[str] = []

    def beside(act: Act) -> Sequence[Mapping[str, Any]]:
        note = note_operation(
            door,
            officer,
            act={"id": act.id, "birth": act.birth, "commune": act.place.commune},
            said=_said(values, year=act.place.year, today=today),
            today=today,
        )
        notes.append(note["id"])
        closing = {
            "transcribed_on": today.isoformat(),
            "act": act.id,
            "closed_on": today.isoformat(),
            "closed_reason": "transcrit",
        }
        drafts = replacing(connection, act.birth)
        return [note, change(connection, "procedure", file.row, values=closing), *drafts]

    entry = Entry(office, volume, folio, judgment)
    act = register(connection, door, officer, birth=file.birth.id, entry=entry, today=today, beside=beside)
    return act, notes[0]


def blocks(file: File, *, today: date) -> list[Reason]:
    """Why this file cannot be transcribed today."""
    found = [each for each in reasons(file.values, file.birth, today=today) if each.blocks]
    missing = [
        Reason("step_missing", f"Il manque une étape : {step.label}.") for step in missing_steps(file.values)
    ]
    return [*(each for each in found if each.code != "step_missing"), *missing]


def _said(values: Mapping[str, Any], *, year: int, today: date) -> dict[str, Any]:
    known = annotation_type(TRANSCRIPTION, today)
    return {
        "type": TRANSCRIPTION,
        "authority": known.decided_by if known is not None else None,
        "court": values["court"],
        "reference": values["judgment_number"],
        "date": values["judged_on"],
        "text": transcription_text(values, year=year, today=today),
    }


def transcription_text(values: Mapping[str, Any], *, year: int, today: date) -> str:
    """What the margin says of the judgment the act stands on: its court, number and days, and what followed."""

    def day(name: str) -> str:
        return day_words(date.fromisoformat(values[name]))

    def number(name: str) -> str:
        return f" n° {values[name]}" if values.get(name) else ""

    what = "l'acte de notoriété supplétif" if values.get("path") == "notoriety" else "le jugement supplétif"
    parts = [f"Transcrit {what}{number('judgment_number')} rendu {day('judged_on')} par : {values['court']}"]
    if "served_on" in values:
        parts.append(f"signifié {day('served_on')}")
    if "no_appeal_on" in values:
        parts.append(f"certificat de non-appel{number('no_appeal_number')} délivré {day('no_appeal_on')}")
    if "homologated_on" in values:
        parts.append(f"homologué{number('homologation_number')} {day('homologated_on')}")
    return f"{', '.join(parts)} ; inscrit {day_words(today)} au registre de l'année {year}."
