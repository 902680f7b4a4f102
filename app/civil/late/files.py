"""Files of the late procedure as the register holds them, each with the state of its birth and its campaign. Reads
only; what follows from it is course.py's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil import tables
from app.civil.late.course import BirthState
from app.civil.late.tables import campaign, late_procedure
from app.civil.standing import annulled
from app.errors import problem
from app.law.answers import Answer
from app.law.late import Terms, fee_waived
from app.ledger.door import Door
from app.ledger.tables import conflict

PROCEDURE_UNKNOWN = problem("procedure_unknown", 404, "Dossier inconnu", "Vérifiez l'identifiant du dossier.")
CAMPAIGN_UNKNOWN = problem(
    "campaign_unknown", 404, "Campagne inconnue", "Vérifiez l'identifiant de la campagne."
)


@dataclass(frozen=True, slots=True)
class File:
    """One file: its stored row and clean values, its birth, its campaign's row where it joined one, its commune."""

    row: Mapping[str, Any]
    values: dict[str, Any]
    birth: BirthState
    campaign: Mapping[str, Any] | None
    commune: str | None

    @property
    def id(self) -> str:
        """The file's id."""
        return str(self.row["id"])


def open_file(connection: sa.Connection, door: Door, officer: Officer, *, procedure: str) -> File:
    """One file; raises `procedure_unknown` (404), `other_commune` (403)."""
    query = sa.select(late_procedure).where(late_procedure.c.id == procedure)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise PROCEDURE_UNKNOWN()
    require(officer, door.areas.commune(door.areas.code(row["area"])), node_kind=door.standing.kind)
    (found,) = files_of(connection, door, [dict(row)])
    return found


def files_of(connection: sa.Connection, door: Door, rows: Collection[Mapping[str, Any]]) -> list[File]:
    """The files of stored rows, in their order; the number of statements does not grow with them."""
    shape = door.registry.shapes["procedure"]
    births = births_of(connection, door, {row["birth"] for row in rows})
    joined = {row["campaign"] for row in rows if row["campaign"]}
    query = sa.select(campaign).where(campaign.c.id.in_(joined))
    campaigns = {row["id"]: dict(row) for row in connection.execute(query).mappings()} if joined else {}
    return [
        File(
            row,
            shape.clean_values(row),
            births.get(row["birth"]) or BirthState(row["birth"] or "", {}),
            campaigns.get(row["campaign"]),
            door.areas.commune(door.areas.code(row["area"])),
        )
        for row in rows
    ]


def births_of(connection: sa.Connection, door: Door, ids: Collection[str]) -> dict[str, BirthState]:
    """The state of these births by id; one that was merged into another is that one."""
    birth, act, shape = tables.birth, tables.act.c, door.registry.shapes["birth"]
    rows = {row["id"]: dict(row) for row in _rows(connection, birth, birth.c.id.in_(ids))}
    into = {row["merged_into"] for row in rows.values()} - {None, *rows}
    rows |= {row["id"]: dict(row) for row in _rows(connection, birth, birth.c.id.in_(into))}
    shown = {each: rows[each]["merged_into"] or each for each in ids if each in rows}
    members = {each: each for each in shown.values()}
    merged = sa.select(birth.c.id, birth.c.merged_into).where(birth.c.merged_into.in_(members))
    members |= {row.id: row.merged_into for row in connection.execute(merged)}
    registered = sa.select(act.birth, act.id).where(act.birth.in_(members), ~annulled(act.id))
    acts = {members[row.birth]: row.id for row in connection.execute(registered.order_by(act.id.desc()))}
    contested: dict[str, list[str]] = defaultdict(list)
    open_ = (conflict.c.kind == "birth", conflict.c.id.in_(set(shown.values())), conflict.c.weight > 0)
    for row in connection.execute(sa.select(conflict.c.id, conflict.c.register).where(*open_)):
        contested[row.id].append(row.register)
    return {
        each: BirthState(
            one, shape.clean_values(rows[one]), contested[one], bool(rows[one]["void"]), acts.get(one)
        )
        for each, one in shown.items()
        if one in rows
    }


def campaign_row(connection: sa.Connection, identity: str, *, commune: str | None) -> Mapping[str, Any]:
    """A campaign of this commune; raises `campaign_unknown` (404) for any other."""
    query = sa.select(campaign).where(campaign.c.id == identity, campaign.c.commune == commune)
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise CAMPAIGN_UNKNOWN()
    return dict(found)


def waiver(joined: Mapping[str, Any] | None, birth: BirthState, *, asked_on: date) -> Answer:
    """Is the fee of a request of that day waived?"""
    if joined is None:
        return Answer(False, "Le dossier n'est joint à aucune campagne.")
    terms = Terms(
        bool(joined["fee_waived"]),
        _day(joined["starts_on"]),
        _day(joined["ends_on"]),
        joined["least_age"],
        joined["most_age"],
    )
    return fee_waived(terms, birth.days(asked_on), on=asked_on)


def _rows(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.select(table).where(*where)).mappings()]


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text is not None and len(text) == 10 else None
