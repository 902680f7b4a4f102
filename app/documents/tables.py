"""Register tables of documents issued and of their delivery. Both are written once and never changed."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

civil_document = register_table(
    "civil_document",
    sa.Column("act", Id, index=True),
    sa.Column("birth", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("office", sa.Text),
    sa.Column("type", sa.Text),
    sa.Column("year", sa.BigInteger),
    sa.Column("number", sa.BigInteger),
    sa.Column("issued_on", sa.Text),
    sa.Column("issued_at", sa.Text),
    sa.Column("issued_by", sa.Text),
    sa.Column("issued_name", sa.Text),
    sa.Column("purpose", sa.Text),
    sa.Column("signed_code", sa.Text),
    sa.Column("key_id", sa.Text),
    sa.Column("template", sa.Text),
    sa.Column("facts", sa.Text, comment="JSON"),
)

civil_delivery = register_table(
    "civil_delivery",
    sa.Column("document", Id),
    sa.Column("act", Id, index=True),
    sa.Column("birth", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("to_name", sa.Text),
    sa.Column("to_relation", sa.Text),
    sa.Column("identity", sa.Text),
    sa.Column("delivered_on", sa.Text),
    sa.Column("delivered_at", sa.Text),
    sa.Column("free", sa.Boolean),
    sa.Column("fee", sa.BigInteger),
    sa.Column("fee_rule", sa.Text),
    sa.Column("recorded_by", sa.Text),
    sa.Column("recorded_name", sa.Text),
)
