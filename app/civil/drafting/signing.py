"""Signing: a birth's act is registered, from a draft that was read back where one is named, and its drafts are
closed. How an act is drawn up and numbered is registration's."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.drafting.drafts import (
    DRAFT_NOT_READ,
    DRAFT_STALE,
    DRAFT_UNKNOWN,
    Row,
    facts_of,
    is_stale,
    latest,
    replacing,
)
from app.civil.finding import birth_row
from app.civil.registration import Act, Entry, Spoken, register
from app.ledger.bulk import lock_door
from app.ledger.changing import change
from app.ledger.door import Door


def sign(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    birth: str,
    entry: Entry,
    draft: str | None,
    today: date,
) -> Act:
    """Register a birth and close its drafts, in the caller's transaction.

    With a `draft` (id) the act is what was read back: `draft_unknown` 404, `draft_stale` 409 when the declaration, the
    office or the judgment is another now, `draft_not_read` 409. Without one whatever was drafted is replaced. Raises
    also what `register` raises.
    """
    lock_door(connection)
    if draft is None:
        act = register(connection, door, officer, birth=birth, entry=entry, today=today)
        if given_up := replacing(connection, act.birth):
            door.write(connection, given_up, by=officer.id)
        return act
    row = _read_draft(connection, door, officer, birth=birth, draft=draft)
    judgment = facts_of(row).get("judgment")
    if row["office"] != entry.office or (entry.judgment is not None and entry.judgment != judgment):
        raise DRAFT_STALE("Le bureau ou le jugement n'est pas celui du projet lu.")
    spoken = Spoken(row["read_language"], row["interpreter"])
    entry = replace(entry, judgment=judgment)
    act = register(connection, door, officer, birth=birth, entry=entry, today=today, spoken=spoken)
    signed = change(connection, "draft", row, values={"stage": "signed", "act": act.id})
    door.write(connection, [signed, *replacing(connection, act.birth, but=row["id"])], by=officer.id)
    return act


def _read_draft(connection: sa.Connection, door: Door, officer: Officer, *, birth: str, draft: str) -> Row:
    """The draft to sign; a registered birth is left to `register`, which says by which act."""
    stored = birth_row(connection, birth)
    require(officer, door.areas.commune(door.areas.code(stored["area"])), node_kind=door.standing.kind)
    row = latest(connection, stored["id"])
    if row is None:
        raise DRAFT_UNKNOWN()
    if row["id"] != draft or is_stale(row, door.registry.shapes["birth"].clean_values(stored)):
        raise DRAFT_STALE()
    if row["stage"] == "drawn":
        raise DRAFT_NOT_READ()
    return row
