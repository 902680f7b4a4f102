"""A server's own index of records that may tell of one person: keys, pairs found, how far the registers were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_duplicates"
down_revision = "2026_11_26_people"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "match_key",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", ID, nullable=False, comment="a record once kept under this key"),
        sa.PrimaryKeyConstraint("key", "subject", name=op.f("pk_match_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "match_candidate",
        sa.Column("first", ID, nullable=False, comment="the lesser id of the pair"),
        sa.Column("second", ID, nullable=False),
        sa.Column("of", sa.String(16), nullable=False),
        sa.Column("commune", sa.String(16), nullable=True, comment="of the first; null = not known"),
        sa.Column("other_commune", sa.String(16), nullable=True),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False, comment="JSON array of codes"),
        sa.PrimaryKeyConstraint("first", "second", name=op.f("pk_match_candidate")),
    )
    op.create_index("ix_match_candidate_second", "match_candidate", ["second"])
    op.create_index("ix_match_candidate_tray", "match_candidate", ["of", "commune", "score"])
    op.create_index("ix_match_candidate_other_tray", "match_candidate", ["of", "other_commune", "score"])
    op.create_table(
        "match_mark",
        sa.Column(
            "followed", sa.String(64), nullable=False, comment="the register and what is followed in it"
        ),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="the last place in the feed looked at"),
        sa.Column("id", sa.String(36), nullable=False, comment="the last row there; empty = all of it"),
        sa.ForeignKeyConstraint(["area"], ["area.id"], name=op.f("fk_match_mark_area_area")),
        sa.PrimaryKeyConstraint("followed", "area", name=op.f("pk_match_mark")),
    )
