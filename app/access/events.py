"""The journal of accounts: what happened to an officer's account and who did it. Appended to, never changed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from app.access import tables
from app.clock import stamp


def record_event(
    connection: sa.Connection, officer: str, *, event: str, by: str | None, at: datetime
) -> None:
    """Write what happened to an officer's (id) account down for good; `by` None = the command line."""
    line = {"at": stamp(at), "officer": officer, "by": by, "event": event}
    connection.execute(tables.officer_event.insert().values(line))
