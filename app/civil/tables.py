"""Register tables of civil registration: declarations of birth, acts, links of act and person, the clerk's tasks,
and the delivery of papers.

A row of `act` is never changed nor deleted: its legal columns are guarded by triggers on both engines."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

birth = register_table(
    "birth",
    sa.Column("person", Id),
    sa.Column("nom", sa.Text),
    sa.Column("postnom", sa.Text),
    sa.Column("prenom", sa.Text),
    sa.Column("sex", sa.Text),
    sa.Column("birth_date", sa.Text),
    sa.Column("birth_precision", sa.Text),
    sa.Column("birth_words", sa.Text),
    sa.Column("birth_time", sa.Text),
    sa.Column("birth_place", sa.Text),
    sa.Column("facility", sa.Text),
    sa.Column("multiple", sa.Text),
    sa.Column("order", sa.BigInteger),
    sa.Column("declared_on", sa.Text),
    sa.Column("mode", sa.Text),
    sa.Column("paper", sa.Text),
    sa.Column("paper_ref", sa.Text),
    sa.Column("declarant_name", sa.Text),
    sa.Column("declarant_relation", sa.Text),
    sa.Column("mother", Id, index=True),
    sa.Column("father", Id),
    sa.Column("mother_name", sa.Text),
    sa.Column("father_name", sa.Text),
    sa.Column("mother_birth_date", sa.Text),
    sa.Column("mother_residence", sa.Text),
    sa.Column("mother_quartier", sa.Text),
    sa.Column("mother_nationality", sa.Text),
    sa.Column("mother_occupation", sa.Text),
    sa.Column("mother_marital_status", sa.Text),
    sa.Column("father_birth_date", sa.Text),
    sa.Column("father_residence", sa.Text),
    sa.Column("father_nationality", sa.Text),
    sa.Column("father_occupation", sa.Text),
    sa.Column("attendant", sa.Text),
    sa.Column("witnesses", sa.Text, comment="JSON"),
    sa.Column("language", sa.Text),
    sa.Column("interpreter", sa.Text),
    sa.Column("campaign", sa.Text),
    sa.Column("commune", sa.Text),
    sa.Column("office", sa.Text),
)

act = register_table(
    "act",
    sa.Column("birth", Id),
    sa.Column("person", Id),
    sa.Column("commune", sa.Text),
    sa.Column("office", sa.Text),
    sa.Column("year", sa.BigInteger),
    sa.Column("volume", sa.Text),
    sa.Column("number", sa.BigInteger),
    sa.Column("folio", sa.Text),
    sa.Column("registered_on", sa.Text),
    sa.Column("declared_on", sa.Text),
    sa.Column("mode", sa.Text),
    sa.Column("delay", sa.Text),
    sa.Column("delay_days", sa.BigInteger),
    sa.Column("delay_limit", sa.BigInteger),
    sa.Column("delay_rule", sa.Text),
    sa.Column("provenance", sa.Text, comment="registration: drawn up here; reprise: keyed from paper"),
    sa.Column("judgment_court", sa.Text),
    sa.Column("judgment_number", sa.Text),
    sa.Column("judgment_date", sa.Text),
    sa.Column("nom", sa.Text),
    sa.Column("postnom", sa.Text),
    sa.Column("prenom", sa.Text),
    sa.Column("sex", sa.Text),
    sa.Column("birth_date", sa.Text),
    sa.Column("birth_precision", sa.Text),
    sa.Column("birth_words", sa.Text),
    sa.Column("birth_time", sa.Text),
    sa.Column("birth_place", sa.Text),
    sa.Column("mother", Id),
    sa.Column("father", Id),
    sa.Column("mother_name", sa.Text),
    sa.Column("father_name", sa.Text),
    sa.Column("mother_quartier", sa.Text),
    sa.Column("mother_nationality", sa.Text),
    sa.Column("declarant_name", sa.Text),
    sa.Column("drawn_at", sa.Text),
    sa.Column("drawn_by", sa.Text),
    sa.Column("facts", sa.Text, comment="JSON: the other fields of the declaration as registered"),
    sa.Column(
        "number_key",
        sa.Text,
        unique=True,
        comment="office, year, volume, number; null where another act holds it",
    ),
    sa.Index("ix_act_office_year", "office", "year", "number"),
    # Year and delay stand here so that a list of births skips the others without reading their acts.
    sa.Index("ix_act_birth", "birth", "year", "delay"),
)

link = register_table(
    "link",
    sa.Column("birth", Id),
    sa.Column("person", Id, index=True),
    sa.Column("act", Id, index=True),
    sa.Column("household", Id),
)

task = register_table(
    "task",
    sa.Column("what", sa.Text),
    sa.Column("birth", Id),
    sa.Column("act", Id),
    sa.Column("commune", sa.Text),
    sa.Column("stage", sa.Text),
    sa.Column("note", sa.Text),
)

# The last step in the life of an act: a paper of it was handed to somebody. Written once by app/documents.
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
