"""What a commune brings from the province, and what tells a restored database from its node."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_25_repair"
down_revision = "2026_11_25_merging"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _node()
    _brought()


def _node() -> None:
    op.add_column(
        "node",
        sa.Column("starts", sa.BigInteger(), nullable=False, server_default="0", comment="as in node.json"),
    )
    op.add_column("node", sa.Column("catching_up", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("node", sa.Column("upstream_feed", sa.Text(), nullable=True))
    op.add_column(
        "node",
        sa.Column(
            "resent_through",
            sa.BigInteger(),
            nullable=True,
            comment="while all batches go up once more: the last batch sent",
        ),
    )
    op.add_column(
        "origin",
        sa.Column(
            "brought",
            sa.Text(),
            nullable=True,
            comment="numbers whose lines the province brought, in the same form",
        ),
    )


def _brought() -> None:
    op.create_table(
        "brought_answer",
        sa.Column("id", BIG, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="the signed bytes, zstd"),
        sa.Column(
            "after_batch", sa.BigInteger(), nullable=False, comment="the last batch held when it was folded"
        ),
        sa.Column("at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brought_answer")),
    )
    op.create_table(
        "brought",
        sa.Column("id", BIG, nullable=False),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("by", sa.Text(), nullable=True, comment="the person of the header"),
        sa.Column("batch", sa.String(length=64), nullable=False, comment="SHA-256 of the batch that held it"),
        sa.Column("answer", BIG, nullable=False),
        sa.ForeignKeyConstraint(["origin"], ["origin.id"], name=op.f("fk_brought_origin")),
        sa.ForeignKeyConstraint(["answer"], ["brought_answer.id"], name=op.f("fk_brought_answer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brought")),
    )
    op.create_index("ix_brought_origin_n", "brought", ["origin", "n"], unique=False)
    op.create_table(
        "upstream_position",
        sa.Column("area", sa.String(length=64), nullable=False),
        sa.Column("position", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("area", name=op.f("pk_upstream_position")),
    )
