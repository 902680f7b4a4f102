"""Which acts a court has annulled: they stay in the books and count in no report."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from app.civil.margins.tables import annotation

ANNULMENT = "annulment"


def annulled(act: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a note of annulment stands in the margin of the act whose id this column is."""
    note = annotation.alias()
    return sa.exists().where(note.c.act == act, note.c.type == ANNULMENT)
