"""Rollups: counters kept in the same transaction as the rows they count.

Key columns first, the count last; unknown = '' or 0."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import METADATA

population_cell = sa.Table(
    "population_cell",
    METADATA,
    sa.Column("commune", sa.Text, primary_key=True),
    sa.Column("quartier", sa.Text, primary_key=True),
    sa.Column("sex", sa.Text, primary_key=True),
    sa.Column("birth_year", sa.Integer, primary_key=True, comment="0 = unknown"),
    sa.Column("no_act", sa.Integer, primary_key=True, comment="1 = no birth act known of"),
    sa.Column("persons", sa.BigInteger, nullable=False),
)

nationality_cell = sa.Table(
    "nationality_cell",
    METADATA,
    sa.Column("commune", sa.Text, primary_key=True),
    sa.Column(
        "nationality_group", sa.Text, primary_key=True, comment="national, foreign, indeterminate, unknown"
    ),
    sa.Column("persons", sa.BigInteger, nullable=False),
)

census_cell = sa.Table(
    "census_cell",
    METADATA,
    sa.Column("commune", sa.Text, primary_key=True),
    sa.Column("quartier", sa.Text, primary_key=True),
    sa.Column("what", sa.Text, primary_key=True, comment="households, persons, or a visit's outcome"),
    sa.Column("count", sa.BigInteger, nullable=False),
)

birth_cell = sa.Table(
    "birth_cell",
    METADATA,
    sa.Column("basis", sa.Text, primary_key=True, comment="registration or birth: whose year and month"),
    sa.Column("commune", sa.Text, primary_key=True),
    sa.Column("year", sa.Integer, primary_key=True, comment="0 = unknown"),
    sa.Column("month", sa.Integer, primary_key=True, comment="0 = unknown"),
    sa.Column("quartier", sa.Text, primary_key=True, comment="of the mother"),
    sa.Column("delay", sa.Text, primary_key=True),
    sa.Column("sex", sa.Text, primary_key=True),
    sa.Column("mode", sa.Text, primary_key=True),
    sa.Column("births", sa.BigInteger, nullable=False),
)

birth_year = sa.Table(
    "birth_year",
    METADATA,
    sa.Column("basis", sa.Text, primary_key=True),
    sa.Column("commune", sa.Text, primary_key=True),
    sa.Column("year", sa.Integer, primary_key=True),
    sa.Column("delay", sa.Text, primary_key=True),
    sa.Column("births", sa.BigInteger, nullable=False),
)
