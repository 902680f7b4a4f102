"""Register table of what was decided about two records that may be one."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

pairing = register_table(
    "pairing",
    sa.Column("of", sa.Text),
    sa.Column("first", Id, index=True),
    sa.Column("second", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("other_commune", sa.Text),
    sa.Column("verdict", sa.Text),
    sa.Column("decided_on", sa.Text),
    sa.Column("decided_at", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_name", sa.Text),
    sa.Column("score", sa.BigInteger),
    sa.Column("reasons", sa.Text, comment="JSON"),
    sa.Column("note", sa.Text),
)
