"""Tables of the territory. Codes are opaque text and are never deleted: what ended carries `valid_to`."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import METADATA

commune = sa.Table(
    "commune",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True, comment="CD-KN-001 to CD-KN-024"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("district", sa.Text, nullable=False),
    sa.Column("province", sa.Text, nullable=False, comment="ISO 3166-2"),
)

quartier = sa.Table(
    "quartier",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("commune", sa.Text, sa.ForeignKey("commune.code"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False, comment="place in the commune's own list"),
    sa.Column("valid_from", sa.Text, comment="first day, null = always known"),
    sa.Column("valid_to", sa.Text, comment="last day, null = still in force"),
    sa.Column(
        "predecessor",
        sa.Text,
        sa.ForeignKey("quartier.code"),
        comment="the code it replaces or was split from",
    ),
)

quartier_alias = sa.Table(
    "quartier_alias",
    METADATA,
    sa.Column("commune", sa.Text, sa.ForeignKey("commune.code"), primary_key=True),
    sa.Column("alias", sa.Text, primary_key=True, comment="older or variant spelling"),
    sa.Column(
        "quartier", sa.Text, sa.ForeignKey("quartier.code"), comment="null = may mean several quartiers"
    ),
    sa.Column("certain", sa.Boolean, nullable=False, comment="false = probable only, a clerk confirms"),
    sa.Column("source", sa.Text, nullable=False),
)

office = sa.Table(
    "office",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True, comment="commune code and two digits, 01 = the main office"),
    sa.Column("commune", sa.Text, sa.ForeignKey("commune.code"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("main", sa.Boolean, nullable=False),
    sa.Column("valid_from", sa.Text),
    sa.Column("valid_to", sa.Text),
)

territory_version = sa.Table(
    "territory_version",
    METADATA,
    sa.Column("version", sa.Text, primary_key=True, comment="fingerprint of the lists last loaded; one row"),
)
