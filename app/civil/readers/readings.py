"""Gathers every read of one person: of his record, of those merged into it and of his births; and words it for him."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from app.access.journal import Reading, readings_of
from app.civil import tables
from app.clock import KINSHASA
from app.ledger.desk import Desk, Row
from app.ledger.entities import merged_ids, shown_row
from app.population.persons import PERSON_NOT_FOUND
from app.population.tables import person

ROLES = {
    "agent": "agent recenseur",
    "clerk": "préposé à l'état civil",
    "registrar": "officier de l'état civil",
    "delegate": "délégué de l'officier de l'état civil",
    "supervisor": "superviseur",
    "planner": "planificateur",
    "admin": "administrateur",
}
KINDS = {"person": "fiche de la personne", "birth": "déclaration ou acte de naissance"}


def seen_person(connection: sa.Connection, desk: Desk, identity: str) -> Row:
    """The row that shows this person; raises `person_not_found` (404) or `other_commune` (403)."""
    row = shown_row(connection, person, identity)
    if row is None:
        raise PERSON_NOT_FOUND()
    desk.require(desk.commune_of(row))
    return row


def readings_of_person(
    connection: sa.Connection, row: Row, *, after: int = 0, limit: int | None = None
) -> list[Reading]:
    """The reads of a person's data, oldest first, from the first journal line after `after`."""
    persons = [row["id"], *merged_ids(connection, person, row["id"])]
    births = sa.select(tables.link.c.birth).where(tables.link.c.person.in_(persons))
    found = [each for each in connection.execute(births).scalars() if each is not None]
    return readings_of(connection, [*persons, *found], after=after, limit=limit)


def told_in_french(row: Row, readings: Iterable[Reading], *, at: datetime) -> str:
    """The page printed for the person: one line for each read, hours in Kinshasa's time."""
    names = " ".join(row[name] for name in ("nom", "postnom", "prenom") if row[name])
    lines = [
        "QUI A LU MES DONNÉES",
        f"Personne : {names or 'sans nom inscrit'} (fiche {row['id']})",
        f"Établi le {_hour(at)}, d'après le journal des lectures de ce serveur.",
        "",
        *(_line(each) for each in readings),
    ]
    if len(lines) == 4:
        lines.append("Personne n'a lu ces données.")
    return "\n".join(lines) + "\n"


def _line(reading: Reading) -> str:
    purpose = f"« {reading.purpose} »" if reading.purpose else "non donné"
    who = f"{reading.name}, {ROLES[reading.role]}"
    return f"{_hour(datetime.fromisoformat(reading.at))} — {who} — {KINDS[reading.kind]} — motif : {purpose}"


def _hour(at: datetime) -> str:
    return f"{at.astimezone(KINSHASA):%d/%m/%Y à %H:%M}"
