"""Register table of the annulments asked for. The notes themselves stand with the acts, in app.civil.tables."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

annulment = register_table(
    "annulment",
    sa.Column("act", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("court", sa.Text),
    sa.Column("reference", sa.Text),
    sa.Column("date", sa.Text),
    sa.Column("text", sa.Text),
    sa.Column("proposed_on", sa.Text),
    sa.Column("proposed_at", sa.Text),
    sa.Column("proposed_by", sa.Text),
    sa.Column("proposed_name", sa.Text),
    sa.Column("confirmed_on", sa.Text),
    sa.Column("confirmed_at", sa.Text),
    sa.Column("confirmed_by", sa.Text),
    sa.Column("confirmed_name", sa.Text),
    sa.Column("stage", sa.Text),
    sa.Column("annotation", Id),
    sa.Column("note", sa.Text),
)
