"""Register table of the census: visits, append only."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

visit = register_table(
    "visit",
    sa.Column("campaign", sa.Text),
    sa.Column("household", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("quartier", sa.Text),
    sa.Column("avenue", sa.Text),
    sa.Column("number", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("members", sa.Text, comment="JSON array of person ids"),
    sa.Column("started_at", sa.Text),
    sa.Column("ended_at", sa.Text),
    sa.Column("lat", sa.BigInteger),
    sa.Column("lon", sa.BigInteger),
    sa.Column("accuracy", sa.Float),
    sa.Column("note", sa.Text),
)
