"""Finding a declaration or an act by its id, and the ids one birth has. Judges nobody's right to see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.civil import tables
from app.errors import problem
from app.ledger.entities import merged_ids, shown_row

BIRTH_UNKNOWN = problem(
    "birth_unknown", 404, "Naissance inconnue", "Vérifiez l'identifiant de la déclaration."
)
ACT_UNKNOWN = problem("act_unknown", 404, "Acte inconnu", "Vérifiez l'identifiant de l'acte.")


def birth_row(connection: sa.Connection, identity: str) -> Mapping[str, Any]:
    """The stored declaration, or the one it was merged into; raises `birth_unknown` (404)."""
    row = shown_row(connection, tables.birth, identity)
    if row is None:
        raise BIRTH_UNKNOWN()
    return row


def act_row(connection: sa.Connection, identity: str) -> Mapping[str, Any]:
    """The stored act; raises `act_unknown` (404)."""
    query = sa.select(tables.act).where(tables.act.c.id == identity)
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise ACT_UNKNOWN()
    return dict(found)


def births_of(connection: sa.Connection, birth: str) -> list[str]:
    """The ids under which one birth was written down: its own and those merged into it."""
    return [birth, *merged_ids(connection, tables.birth, birth)]
