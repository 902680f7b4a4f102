"""Register tables of the books: offices, volumes, volets, declarations that wait for a number."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

civil_office = register_table(
    "civil_office",
    sa.Column("code", sa.Text, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("main", sa.Boolean),
    sa.Column("address", sa.Text),
    sa.Column("valid_from", sa.Text),
    sa.Column("valid_to", sa.Text),
)

book = register_table(
    "book",
    sa.Column("commune", sa.Text),
    sa.Column("office", sa.Text, index=True),
    sa.Column("register", sa.Text),
    sa.Column("year", sa.BigInteger),
    sa.Column("volume", sa.Text),
    sa.Column("sheets", sa.BigInteger),
    sa.Column("initialled_on", sa.Text),
    sa.Column("initialled_by", sa.Text),
    sa.Column("opened_on", sa.Text),
    sa.Column("opened_by", sa.Text),
    sa.Column("closed_on", sa.Text),
    sa.Column("closed_by", sa.Text),
    sa.Column("closed_name", sa.Text),
    sa.Column("acts", sa.BigInteger),
    sa.Column("last_number", sa.BigInteger),
    sa.Column("statement", sa.Text),
)

volet = register_table(
    "volet",
    sa.Column("act", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("volet", sa.BigInteger),
    sa.Column("holder", sa.Text),
    sa.Column("sent_on", sa.Text),
    sa.Column("sent_to", sa.Text),
    sa.Column("slip", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("recorded_by", sa.Text),
)

provisional = register_table(
    "provisional",
    sa.Column("birth", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("office", sa.Text),
    sa.Column("year", sa.BigInteger),
    sa.Column("number", sa.BigInteger),
    sa.Column("declared_on", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("issued_on", sa.Text),
    sa.Column("issued_by", sa.Text),
    sa.Column("stage", sa.Text),
    sa.Column("act", Id),
    sa.Column("numbered_on", sa.Text),
)
