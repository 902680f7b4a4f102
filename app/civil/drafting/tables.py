"""Register table of the drafts of acts."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

draft = register_table(
    "draft",
    sa.Column("birth", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("office", sa.Text),
    sa.Column("volume", sa.Text),
    sa.Column("folio", sa.Text),
    sa.Column("text", sa.Text),
    sa.Column("facts", sa.Text, comment="JSON"),
    sa.Column("drawn_on", sa.Text),
    sa.Column("drawn_at", sa.Text),
    sa.Column("drawn_by", sa.Text),
    sa.Column("drawn_name", sa.Text),
    sa.Column("read_at", sa.Text),
    sa.Column("read_by", sa.Text),
    sa.Column("read_to", sa.Text, comment="JSON"),
    sa.Column("read_language", sa.Text),
    sa.Column("interpreter", sa.Text),
    sa.Column("remarks", sa.Text),
    sa.Column("stage", sa.Text),
    sa.Column("act", Id),
)
