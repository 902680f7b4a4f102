"""Register tables of the population: households and persons, one column per field of the protocol's catalogue."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table

household = register_table(
    "household",
    sa.Column("commune", sa.Text),
    sa.Column("quartier", sa.Text),
    sa.Column("avenue", sa.Text),
    sa.Column("number", sa.Text),
    sa.Column("card", sa.Text),
    sa.Column("tenure", sa.Text),
    sa.Column("head", Id),
    sa.Column("lat", sa.BigInteger),
    sa.Column("lon", sa.BigInteger),
    sa.Column("accuracy", sa.Float),
)

person = register_table(
    "person",
    sa.Column("household", Id, index=True),
    sa.Column("line", sa.BigInteger),
    sa.Column("relation", sa.Text),
    sa.Column("relation_words", sa.Text),
    sa.Column("nom", sa.Text),
    sa.Column("postnom", sa.Text),
    sa.Column("prenom", sa.Text),
    sa.Column("sex", sa.Text),
    sa.Column("birth_date", sa.Text),
    sa.Column("birth_precision", sa.Text),
    sa.Column("birth_words", sa.Text),
    sa.Column("birth_place", sa.Text),
    sa.Column("nationality", sa.Text),
    sa.Column("marital_status", sa.Text),
    sa.Column("occupation", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("mother", Id),
    sa.Column("father", Id),
    sa.Column("mother_name", sa.Text),
    sa.Column("father_name", sa.Text),
    sa.Column("birth_act", sa.Text),
    sa.Column("birth_act_ref", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("search", sa.Text, comment="app.population.names.search_key of the three name elements"),
)
