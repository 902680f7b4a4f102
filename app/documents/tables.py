"""Register table of documents issued: written once and never changed. Their delivery stands with the acts."""

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
    sa.Index("ix_civil_document_number", "office", "year", "number"),
)
