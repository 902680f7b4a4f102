"""The places: communes, quartiers, their other spellings, offices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_22_territory"
down_revision = "2026_11_22_access"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _commune()
    _territory_version()
    _office()
    _quartier()
    _quartier_alias()


def _commune() -> None:
    op.create_table(
        "commune",
        sa.Column("code", sa.Text(), nullable=False, comment="CD-KN-001 to CD-KN-024"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("district", sa.Text(), nullable=False),
        sa.Column("province", sa.Text(), nullable=False, comment="ISO 3166-2"),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_commune")),
    )


def _territory_version() -> None:
    op.create_table(
        "territory_version",
        sa.Column(
            "version", sa.Text(), nullable=False, comment="fingerprint of the lists last loaded; one row"
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_territory_version")),
    )


def _office() -> None:
    op.create_table(
        "office",
        sa.Column(
            "code", sa.Text(), nullable=False, comment="commune code and two digits, 01 = the main office"
        ),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("main", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.Text(), nullable=True),
        sa.Column("valid_to", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["commune"], ["commune.code"], name=op.f("fk_office_commune")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_office")),
    )
    op.create_index(op.f("ix_office_commune"), "office", ["commune"], unique=False)


def _quartier() -> None:
    op.create_table(
        "quartier",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False, comment="place in the commune's own list"),
        sa.Column("valid_from", sa.Text(), nullable=True, comment="first day, null = always known"),
        sa.Column("valid_to", sa.Text(), nullable=True, comment="last day, null = still in force"),
        sa.Column("predecessor", sa.Text(), nullable=True, comment="the code it replaces or was split from"),
        sa.ForeignKeyConstraint(["commune"], ["commune.code"], name=op.f("fk_quartier_commune")),
        sa.ForeignKeyConstraint(["predecessor"], ["quartier.code"], name=op.f("fk_quartier_predecessor")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_quartier")),
    )
    op.create_index(op.f("ix_quartier_commune"), "quartier", ["commune"], unique=False)


def _quartier_alias() -> None:
    op.create_table(
        "quartier_alias",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False, comment="older or variant spelling"),
        sa.Column("quartier", sa.Text(), nullable=True, comment="null = may mean several quartiers"),
        sa.Column("certain", sa.Boolean(), nullable=False, comment="false = probable only, a clerk confirms"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["commune.code"], name=op.f("fk_quartier_alias_commune")),
        sa.ForeignKeyConstraint(["quartier"], ["quartier.code"], name=op.f("fk_quartier_alias_quartier")),
        sa.PrimaryKeyConstraint("commune", "alias", name=op.f("pk_quartier_alias")),
    )
