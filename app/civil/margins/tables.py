"""Register tables of margin notes and of annulments asked for. A note is as final as the act it stands on."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

annotation = register_table(
    "annotation",
    sa.Column("act", Id, index=True),
    sa.Column("birth", Id),
    sa.Column("commune", sa.Text),
    sa.Column("type", sa.Text),
    sa.Column("authority", sa.Text),
    sa.Column("court", sa.Text),
    sa.Column("reference", sa.Text),
    sa.Column("date", sa.Text),
    sa.Column("text", sa.Text),
    sa.Column("changes", sa.Text, comment="JSON"),
    sa.Column("recorded_on", sa.Text),
    sa.Column("recorded_at", sa.Text),
    sa.Column("recorded_by", sa.Text),
    sa.Column("recorded_name", sa.Text),
    sa.Column("confirmed_by", sa.Text),
    sa.Column("confirmed_name", sa.Text),
    sa.Column("facts", sa.Text, comment="JSON"),
)

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
