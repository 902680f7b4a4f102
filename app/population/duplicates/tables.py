"""Register table of what was decided about two records that may be one, and this server's own index of likely pairs:
where records are found, the pairs found, and how far the registers were looked through."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import METADATA, Id
from app.ledger.tables import register_table

pairing = register_table(
    "pairing",
    sa.Column("of", sa.Text),
    sa.Column("first", Id, index=True),
    sa.Column("second", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("other_commune", sa.Text),
    sa.Column("reference", sa.Text),
    sa.Column("other_reference", sa.Text),
    sa.Column("verdict", sa.Text),
    sa.Column("decided_on", sa.Text),
    sa.Column("decided_at", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_name", sa.Text),
    sa.Column("score", sa.BigInteger),
    sa.Column("reasons", sa.Text, comment="JSON"),
    sa.Column("note", sa.Text),
)

match_key = sa.Table(
    "match_key",
    METADATA,
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("subject", Id, primary_key=True, comment="a record once kept under this key"),
    sqlite_with_rowid=False,
)

match_candidate = sa.Table(
    "match_candidate",
    METADATA,
    sa.Column("first", Id, primary_key=True, comment="the lesser id of the pair"),
    sa.Column("second", Id, primary_key=True),
    sa.Column("of", sa.String(16), nullable=False),
    sa.Column("commune", sa.String(16), comment="of the first; null = not known"),
    sa.Column("other_commune", sa.String(16)),
    sa.Column("score", sa.Integer, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False, comment="JSON array of codes"),
    sa.Index("ix_match_candidate_second", "second"),
    sa.Index("ix_match_candidate_tray", "of", "commune", "score"),
    sa.Index("ix_match_candidate_other_tray", "of", "other_commune", "score"),
)

match_mark = sa.Table(
    "match_mark",
    METADATA,
    sa.Column("followed", sa.String(64), primary_key=True, comment="the register and what is followed in it"),
    sa.Column("area", sa.Integer, sa.ForeignKey("area.id"), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False, comment="the last place in the feed looked at"),
    sa.Column("id", sa.String(36), nullable=False, comment="the last row there; empty = all of it"),
)
