"""Register tables of the late procedure and of the campaigns."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

late_procedure = register_table(
    "late_procedure",
    sa.Column("birth", Id, index=True),
    sa.Column("commune", sa.Text),
    sa.Column("office", sa.Text),
    sa.Column("path", sa.Text),
    sa.Column("court_kind", sa.Text),
    sa.Column("court", sa.Text),
    sa.Column("campaign", Id),
    sa.Column("fee_waived", sa.Boolean),
    sa.Column("opened_on", sa.Text),
    sa.Column("opened_by", sa.Text),
    sa.Column("sent_on", sa.Text),
    sa.Column("slip", sa.Text),
    sa.Column("requested_on", sa.Text),
    sa.Column("requester", sa.Text),
    sa.Column("request_number", sa.Text),
    sa.Column("judged_on", sa.Text),
    sa.Column("judgment_number", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("served_on", sa.Text),
    sa.Column("served_to", sa.Text),
    sa.Column("no_appeal_on", sa.Text),
    sa.Column("no_appeal_number", sa.Text),
    sa.Column("homologated_on", sa.Text),
    sa.Column("homologation_number", sa.Text),
    sa.Column("transcribed_on", sa.Text),
    sa.Column("act", Id),
    sa.Column("closed_on", sa.Text),
    sa.Column("closed_reason", sa.Text),
    sa.Column("note", sa.Text),
)

campaign = register_table(
    "campaign",
    sa.Column("name", sa.Text),
    sa.Column("commune", sa.Text),
    sa.Column("starts_on", sa.Text),
    sa.Column("ends_on", sa.Text),
    sa.Column("least_age", sa.BigInteger),
    sa.Column("most_age", sa.BigInteger),
    sa.Column("court", sa.Text),
    sa.Column("fee_waived", sa.Boolean),
    sa.Column("decision", sa.Text),
    sa.Column("note", sa.Text),
)
