"""Acts on whole entities: which rows are void or shown under another id, and the merges that say so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_25_merging"
down_revision = "2026_11_22_statistics"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
REGISTER_TABLES = (
    "device",
    "clock_confirmation",
    "other",
    "household",
    "person",
    "visit",
    "birth",
    "act",
    "link",
    "task",
)


def upgrade() -> None:
    op.create_table(
        "merging",
        sa.Column("dot", sa.Text(), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False, comment="two under a forked dot"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("loser", ID, nullable=False),
        sa.Column(
            "survivor", ID, nullable=True, comment="null: the merge names no other entity and joins nothing"
        ),
        sa.PrimaryKeyConstraint("dot", "line", name=op.f("pk_merging")),
    )
    op.create_index("ix_merging_loser", "merging", ["loser"])
    op.create_index("ix_merging_survivor", "merging", ["survivor"])
    op.create_table(
        "unmerged",
        sa.Column("dot", sa.Text(), nullable=False, comment="of a merge, come or not, that an unmerge names"),
        sa.PrimaryKeyConstraint("dot", name=op.f("pk_unmerged")),
    )
    for table in REGISTER_TABLES:
        _stand(table)


def _stand(table: str) -> None:
    op.add_column(table, sa.Column("void", sa.Boolean(), nullable=True, comment="hidden; null = no"))
    op.add_column(
        table,
        sa.Column("merged_into", ID, nullable=True, comment="the id it is shown under; null = its own"),
    )
    merged = sa.text("merged_into IS NOT NULL")
    op.create_index(
        f"ix_{table}_merged_into",
        table,
        ["merged_into"],
        sqlite_where=merged,
        postgresql_where=merged,
    )
