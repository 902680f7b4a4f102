"""Which acts still stand: an act is annulled by one note in its margin and by nothing else. Writes none."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from hashlib import sha256

import sqlalchemy as sa

from app.civil import tables
from app.errors import Problem, problem
from app.law.annotations import ANNULMENT

ALREADY_REGISTERED = problem(
    "already_registered",
    409,
    "Naissance déjà enregistrée",
    "Un acte enregistré ne se modifie pas ; demandez-en une copie.",
)


def annulled(act: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """SQL: whether the act of this column is annulled."""
    note = tables.annotation.alias()
    return sa.exists().where(note.c.act == act, note.c.type == ANNULMENT)


def annulled_among(connection: sa.Connection, acts: Collection[str]) -> set[str]:
    """Those of these acts (ids) that are annulled."""
    note = tables.annotation.c
    query = sa.select(note.act).where(note.act.in_(acts), note.type == ANNULMENT)
    return set(connection.execute(query).scalars())


def standing_act(connection: sa.Connection, births: Collection[str]) -> sa.RowMapping | None:
    """id, number, office and year of the act that stands for these declarations (ids), None where none does."""
    act = tables.act.c
    query = sa.select(act.id, act.number, act.office, act.year).where(
        act.birth.in_(births), ~annulled(act.id)
    )
    return connection.execute(query.order_by(act.id).limit(1)).mappings().one_or_none()


def require_unregistered(connection: sa.Connection, births: Collection[str]) -> None:
    """Raise `already_registered` (409) when an act of these declarations (ids) stands."""
    found = standing_act(connection, births)
    if found is not None:
        raise already_registered(found)


def already_registered(act: sa.RowMapping, advice: str = "") -> Problem:
    """The refusal that names this act (as `standing_act` gives it), and what to do instead (French)."""
    named = f"n° {act['number']} de {act['year']} (bureau {act['office']})"
    return ALREADY_REGISTERED(
        f"L'acte {named} existe déjà pour cette naissance. {advice}".rstrip(), act=act["id"]
    )


def annulment_note(act: str) -> str:
    """The id of the one note that annuls an act: no two servers can take an act out of the figures twice."""
    digest = sha256(f"annulment of {act}".encode()).digest()[:16]
    return str(uuid.UUID(bytes=digest, version=4))
