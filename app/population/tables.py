"""Register tables of the population: households and persons, one column per field of the protocol's catalogue."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Id
from app.ledger.tables import register_table
from app.population.names import SLOT_COLUMNS

# A name of three keys is found by any two of them in one seek; few names have more (the partial indexes). The area
# stands first because a batch comes from one quartier: it then touches a ninth of the pages.
SEARCH_PAIRS = (("name1", "name2"), ("name2", "name3"), ("name3", "name1"))

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
    # The numbers of the keys of the three name elements (app.population.names.slots), ascending, then nulls.
    *(sa.Column(name, sa.Integer) for name in SLOT_COLUMNS),
    *(sa.Index(f"ix_person_{first}", "area", first, second) for first, second in SEARCH_PAIRS),
    *(
        sa.Index(
            f"ix_person_{name}",
            "area",
            name,
            sqlite_where=sa.text(f"{name} IS NOT NULL"),
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )
        for name in SLOT_COLUMNS[3:]
    ),
)
