"""The tray of files that wait: those longest at their present step first, counted by step; and one file with all that
was ever written in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from app.access.officers import names_of
from app.civil.late.course import (
    CLOSED,
    DAY,
    LABEL,
    OPENED,
    TRANSCRIPTION,
    UNDETERMINED,
    asked_on,
    court_for,
    next_step,
    path_of,
    reasons,
    stage_of,
    stays,
)
from app.civil.late.files import File, files_of, waiver
from app.civil.late.tables import late_procedure as table
from app.ledger.door import Door
from app.ledger.history import history

Position = tuple[str, str]
STAGES = (OPENED, *DAY, CLOSED)
_OWN = (
    *("birth", "commune", "office", "path", "court", "requester", "opened_on"),
    *("transcribed_on", "act", "closed_on", "closed_reason", "note"),
)
_PATH = {"judgment": "jugement supplétif", "notoriety": "acte de notoriété supplétif"}
_CHILD = ("nom", "postnom", "prenom", "sex", "birth_date", "birth_precision")
# No path has all steps, but their order is the same in all of them: the last day kept is the present step's.
_REACHED = [(table.c.closed_on, CLOSED), *((table.c[kept], step) for step, kept in reversed(DAY.items()))]
# Written out, not bound: PostgreSQL groups by an expression only where it is the same text.
_STAGE = sa.case(
    *((day.is_not(None), sa.literal_column(f"'{step}'", sa.Text)) for day, step in _REACHED),
    else_=sa.literal_column(f"'{OPENED}'", sa.Text),
)
_SINCE = sa.func.coalesce(*(day for day, _ in _REACHED), table.c.opened_on, sa.literal_column("''", sa.Text))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files: of these communes (None = all), at a stage (None: all that are not closed), of a campaign (id), more
    than so many days at their step."""

    communes: Collection[str] | None
    stage: str | None = None
    campaign: str | None = None
    older_than: int | None = None


def waiting(
    connection: sa.Connection, door: Door, wanted: Wanted, *, after: Position | None, limit: int, today: date
) -> tuple[list[File], Position | None]:
    """The next files, longest at their present step first, and where the page after begins."""
    query = sa.select(table, _SINCE.label("since")).where(*_of(wanted)).order_by(_SINCE, table.c.id)
    open_ = table.c.closed_on.is_(None)
    query = query.where(open_ if wanted.stage is None else _STAGE.in_([wanted.stage]))
    if wanted.older_than is not None:
        query = query.where((today - timedelta(days=wanted.older_than)).isoformat() > _SINCE)
    if after is not None:
        since, identity = after
        reached = (sa.literal(since), sa.literal(identity, table.c.id.type))
        query = query.where(sa.tuple_(_SINCE, table.c.id) > sa.tuple_(*reached))
    rows = [dict(row) for row in connection.execute(query.limit(limit + 1)).mappings()]
    last = rows[limit - 1] if len(rows) > limit else None
    return files_of(connection, door, rows[:limit]), (last["since"], last["id"]) if last else None


def counts(connection: sa.Connection, wanted: Wanted) -> dict[str, int]:
    """How many files stand at each step, closed ones included; stage and age of `wanted` limit nothing here."""
    query = sa.select(_STAGE, sa.func.count()).where(*_of(wanted)).group_by(_STAGE)
    found = {row[0]: int(row[1]) for row in connection.execute(query)}
    return {stage: found.get(stage, 0) for stage in STAGES}


def shown_file(file: File, *, today: date) -> dict[str, Any]:
    """One file as ProcedureOut describes it."""
    values, birth = file.values, file.birth
    stage, since = stage_of(values)
    labels = LABEL | {step.step: step.label for step in path_of(values)}
    court = court_for(values, birth, today=today)
    waived = waiver(file.campaign, birth, asked_on=asked_on(values, today=today))
    following = next_step(values)
    return {"id": file.id} | {name: values.get(name) for name in _OWN} | {
        "path_label": _PATH.get(values.get("path", "")),
        "child": {name: birth.values.get(name) for name in _CHILD},
        "stage": stage,
        "stage_label": labels[stage],
        "since": since or None,
        "days": max(0, (today - date.fromisoformat(since)).days) if since and stage != CLOSED else 0,
        "court_kind": court.code or UNDETERMINED,
        "court_name": court.court_kind,
        "court_explanation": court.rule,
        "campaign": values.get("campaign"),
        "campaign_name": file.campaign["name"] if file.campaign is not None else None,
        "fee_waived": waived.yes,
        "fee_explanation": waived.rule,
        "steps": [
            {"step": each.step, "label": each.label, "on": each.on, "days": each.days} | _said(each.said)
            for each in stays(values, today=today)
        ],
        "next": None
        if following is None
        else {"step": following[0], "label": labels.get(following[0], LABEL[TRANSCRIPTION]), "to_do": following[1]},
        "blocked": [
            {"code": each.code, "message": each.message, "blocks": each.blocks}
            for each in reasons(values, birth, today=today)
        ],
    }  # fmt: skip


def written(connection: sa.Connection, file: File) -> list[dict[str, Any]]:
    """Every value ever written in a file, oldest first: field, value, by whom, when, and whether it still stands."""
    fields = history(connection, "procedure", file.row)
    lines = [
        {
            "field": name,
            "value": each["value"],
            "at": each["received_at"],
            "by": each["by"],
            "stands": each["live"],
        }
        for name, writes in fields.items()
        for each in writes
    ]
    names = names_of(connection, (line["by"] for line in lines))
    lines.sort(key=lambda line: (line["at"] or "", line["field"]))
    return [line | {"by_name": names.get(line["by"])} for line in lines]


def _said(said: Any) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "campaign"}


def _of(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.communes is not None:
        found.append(table.c.commune.in_(sorted(wanted.communes)))
    if wanted.campaign is not None:
        found.append(table.c.campaign == wanted.campaign)
    return found
