"""What the trays are read by: questions to agents, the names of doubtful fields, the order of conflicts."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_25_trays"
down_revision = "2026_11_25_repair"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
REGISTERS = (
    "household", "person", "visit", "birth", "act", "link", "task", "device", "clock_confirmation", "other",
)  # fmt: skip
SYSTEM = {"id", "extra", "doubtful", "origin", "n", "area", "seq", "rev", "registers", "void", "merged_into"}
SOME = sa.text("doubtful IS NOT NULL")


def upgrade() -> None:
    for table in REGISTERS:
        _name_doubtful_fields(table)
    _question()
    op.create_index("ix_conflict_tray", "conflict", ["weight", "opened_at", "id", "register", "kind"])


def _doubtful_index(table: str) -> None:
    op.create_index(f"ix_{table}_doubtful", table, ["area", "id"], sqlite_where=SOME, postgresql_where=SOME)


def _name_doubtful_fields(table: str) -> None:
    op.add_column(
        table,
        sa.Column("doubtful", sa.Text(), nullable=True, comment="known fields in extra, each between spaces"),
    )
    _doubtful_index(table)
    # Kinds without a table of their own have no fields to doubt.
    if table == "other":
        return
    connection = op.get_bind()
    fields = {each["name"] for each in sa.inspect(connection).get_columns(table)} - SYSTEM
    rows = sa.table(table, sa.column("id", ID), sa.column("extra"), sa.column("doubtful"))
    kept = connection.execute(sa.select(rows.c.id, rows.c.extra).where(rows.c.extra.is_not(None))).all()
    found = [
        {"of": row.id, "names": f" {' '.join(names)} "}
        for row in kept
        if (names := sorted(fields.intersection(json.loads(row.extra))))
    ]
    if found:
        statement = rows.update().where(rows.c.id == sa.bindparam("of"))
        connection.execute(statement.values(doubtful=sa.bindparam("names")), found)


def _question() -> None:
    op.create_table(
        "question",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("entity", ID, nullable=True),
        sa.Column("register", sa.Text(), nullable=True),
        sa.Column(
            "dots",
            sa.Text(),
            nullable=True,
            comment="the values that stood when it was asked, JSON array of dots",
        ),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("device", ID, nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=True),
        sa.Column("asked_on", sa.Text(), nullable=True),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("quartier", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("doubtful", sa.Text(), nullable=True, comment="known fields in extra, each between spaces"),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=True, comment="hidden; null = no"),
        sa.Column("merged_into", ID, nullable=True, comment="the id it is shown under; null = its own"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_question")),
    )
    op.create_index("ix_question_feed", "question", ["area", "seq", "id"], unique=False)
    _doubtful_index("question")
    merged = sa.text("merged_into IS NOT NULL")
    op.create_index(
        "ix_question_merged_into", "question", ["merged_into"], sqlite_where=merged, postgresql_where=merged
    )
    op.create_index(op.f("ix_question_entity"), "question", ["entity"], unique=False)
