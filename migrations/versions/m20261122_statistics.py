"""Rollups."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_22_statistics"
down_revision = "2026_11_22_civil"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _birth_cell()
    _birth_year()
    _census_cell()
    _nationality_cell()
    _population_cell()


def _birth_cell() -> None:
    op.create_table(
        "birth_cell",
        sa.Column("basis", sa.Text(), nullable=False, comment="registration or birth: whose year and month"),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False, comment="0 = unknown"),
        sa.Column("month", sa.Integer(), nullable=False, comment="0 = unknown"),
        sa.Column("quartier", sa.Text(), nullable=False, comment="of the mother"),
        sa.Column("delay", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("births", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "basis",
            "commune",
            "year",
            "month",
            "quartier",
            "delay",
            "sex",
            "mode",
            name=op.f("pk_birth_cell"),
        ),
    )


def _birth_year() -> None:
    op.create_table(
        "birth_year",
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("delay", sa.Text(), nullable=False),
        sa.Column("births", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("basis", "commune", "year", "delay", name=op.f("pk_birth_year")),
    )


def _census_cell() -> None:
    op.create_table(
        "census_cell",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("quartier", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False, comment="households, persons, or a visit's outcome"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commune", "quartier", "what", name=op.f("pk_census_cell")),
    )


def _nationality_cell() -> None:
    op.create_table(
        "nationality_cell",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column(
            "nationality_group",
            sa.Text(),
            nullable=False,
            comment="national, foreign, indeterminate, unknown",
        ),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commune", "nationality_group", name=op.f("pk_nationality_cell")),
    )


def _population_cell() -> None:
    op.create_table(
        "population_cell",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("quartier", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("birth_year", sa.Integer(), nullable=False, comment="0 = unknown"),
        sa.Column("no_act", sa.Integer(), nullable=False, comment="1 = no birth act known of"),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "commune", "quartier", "sex", "birth_year", "no_act", name=op.f("pk_population_cell")
        ),
    )
