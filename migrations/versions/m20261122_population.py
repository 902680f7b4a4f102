"""Households and persons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_22_population"
down_revision = "2026_11_22_ledger"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    _household()
    _person()


def _household() -> None:
    op.create_table(
        "household",
        sa.Column("id", ID, nullable=False),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("quartier", sa.Text(), nullable=True),
        sa.Column("avenue", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("tenure", sa.Text(), nullable=True),
        sa.Column("head", ID, nullable=True),
        sa.Column("lat", sa.BigInteger(), nullable=True),
        sa.Column("lon", sa.BigInteger(), nullable=True),
        sa.Column("accuracy", sa.Float(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household")),
    )
    op.create_index("ix_household_feed", "household", ["area", "seq", "id"], unique=False)


def _person() -> None:
    op.create_table(
        "person",
        sa.Column("id", ID, nullable=False),
        sa.Column("household", ID, nullable=True),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.Column("relation", sa.Text(), nullable=True),
        sa.Column("relation_words", sa.Text(), nullable=True),
        sa.Column("nom", sa.Text(), nullable=True),
        sa.Column("postnom", sa.Text(), nullable=True),
        sa.Column("prenom", sa.Text(), nullable=True),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Text(), nullable=True),
        sa.Column("birth_precision", sa.Text(), nullable=True),
        sa.Column("birth_words", sa.Text(), nullable=True),
        sa.Column("birth_place", sa.Text(), nullable=True),
        sa.Column("nationality", sa.Text(), nullable=True),
        sa.Column("marital_status", sa.Text(), nullable=True),
        sa.Column("occupation", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("mother", ID, nullable=True),
        sa.Column("father", ID, nullable=True),
        sa.Column("mother_name", sa.Text(), nullable=True),
        sa.Column("father_name", sa.Text(), nullable=True),
        sa.Column("birth_act", sa.Text(), nullable=True),
        sa.Column("birth_act_ref", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("name1", sa.Integer(), nullable=True),
        sa.Column("name2", sa.Integer(), nullable=True),
        sa.Column("name3", sa.Integer(), nullable=True),
        sa.Column("name4", sa.Integer(), nullable=True),
        sa.Column("name5", sa.Integer(), nullable=True),
        sa.Column("name6", sa.Integer(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    op.create_index("ix_person_feed", "person", ["area", "seq", "id"], unique=False)
    op.create_index(op.f("ix_person_household"), "person", ["household"], unique=False)
    for first, second in (("name1", "name2"), ("name2", "name3"), ("name3", "name1")):
        op.create_index(f"ix_person_{first}", "person", ["area", first, second], unique=False)
    for name in ("name4", "name5", "name6"):
        given = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_person_{name}",
            "person",
            ["area", name],
            unique=False,
            sqlite_where=given,
            postgresql_where=given,
        )
