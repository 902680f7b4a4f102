"""Declarations of birth, acts that nothing changes, links and tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_22_civil"
down_revision = "2026_11_22_census"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    _act()
    _birth()
    _link()
    _task()
    _guard_acts()


LEGAL = (
    "id",
    "birth",
    "person",
    "commune",
    "office",
    "year",
    "volume",
    "number",
    "folio",
    "registered_on",
    "declared_on",
    "mode",
    "delay",
    "delay_days",
    "delay_limit",
    "delay_rule",
    "provenance",
    "judgment_court",
    "judgment_number",
    "judgment_date",
    "nom",
    "postnom",
    "prenom",
    "sex",
    "birth_date",
    "birth_precision",
    "birth_words",
    "birth_time",
    "birth_place",
    "mother",
    "father",
    "mother_name",
    "father_name",
    "mother_quartier",
    "mother_nationality",
    "declarant_name",
    "drawn_at",
    "drawn_by",
    "facts",
    "number_key",
    "extra",
    "origin",
    "n",
)


def _guard_acts() -> None:
    """A registered act is never changed nor deleted (Family Code, art. 105 to 109: only annotations and judgments)."""
    columns = ", ".join(f'"{name}"' for name in LEGAL)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_act_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'un acte enregistré ne se modifie pas'; END$$"
        )
        op.execute(
            f"CREATE TRIGGER act_is_final BEFORE UPDATE OF {columns} ON act "
            "FOR EACH ROW EXECUTE FUNCTION refuse_act_change()"
        )
        op.execute(
            "CREATE TRIGGER act_stays BEFORE DELETE ON act FOR EACH ROW EXECUTE FUNCTION refuse_act_change()"
        )
        op.execute(
            "CREATE TRIGGER act_is_kept BEFORE TRUNCATE ON act FOR EACH STATEMENT EXECUTE FUNCTION refuse_act_change()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'un acte enregistré ne se modifie pas'); END"
    op.execute(f"CREATE TRIGGER act_is_final BEFORE UPDATE OF {columns} ON act {refuse}")
    op.execute(f"CREATE TRIGGER act_stays BEFORE DELETE ON act {refuse}")
    # INSERT OR REPLACE would take an act away without any trigger for DELETE.
    held = "EXISTS (SELECT 1 FROM act WHERE id = NEW.id OR number_key = NEW.number_key)"
    op.execute(f"CREATE TRIGGER act_is_not_replaced BEFORE INSERT ON act WHEN {held} {refuse}")


def _act() -> None:
    op.create_table(
        "act",
        sa.Column("id", ID, nullable=False),
        sa.Column("birth", ID, nullable=True),
        sa.Column("person", ID, nullable=True),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("office", sa.Text(), nullable=True),
        sa.Column("year", sa.BigInteger(), nullable=True),
        sa.Column("volume", sa.Text(), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("folio", sa.Text(), nullable=True),
        sa.Column("registered_on", sa.Text(), nullable=True),
        sa.Column("declared_on", sa.Text(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=True),
        sa.Column("delay", sa.Text(), nullable=True),
        sa.Column("delay_days", sa.BigInteger(), nullable=True),
        sa.Column("delay_limit", sa.BigInteger(), nullable=True),
        sa.Column("delay_rule", sa.Text(), nullable=True),
        sa.Column(
            "provenance",
            sa.Text(),
            nullable=True,
            comment="registration: drawn up here; reprise: keyed from paper",
        ),
        sa.Column("judgment_court", sa.Text(), nullable=True),
        sa.Column("judgment_number", sa.Text(), nullable=True),
        sa.Column("judgment_date", sa.Text(), nullable=True),
        sa.Column("nom", sa.Text(), nullable=True),
        sa.Column("postnom", sa.Text(), nullable=True),
        sa.Column("prenom", sa.Text(), nullable=True),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Text(), nullable=True),
        sa.Column("birth_precision", sa.Text(), nullable=True),
        sa.Column("birth_words", sa.Text(), nullable=True),
        sa.Column("birth_time", sa.Text(), nullable=True),
        sa.Column("birth_place", sa.Text(), nullable=True),
        sa.Column("mother", ID, nullable=True),
        sa.Column("father", ID, nullable=True),
        sa.Column("mother_name", sa.Text(), nullable=True),
        sa.Column("father_name", sa.Text(), nullable=True),
        sa.Column("mother_quartier", sa.Text(), nullable=True),
        sa.Column("mother_nationality", sa.Text(), nullable=True),
        sa.Column("declarant_name", sa.Text(), nullable=True),
        sa.Column("drawn_at", sa.Text(), nullable=True),
        sa.Column("drawn_by", sa.Text(), nullable=True),
        sa.Column(
            "facts",
            sa.Text(),
            nullable=True,
            comment="JSON: the other fields of the declaration as registered",
        ),
        sa.Column(
            "number_key",
            sa.Text(),
            nullable=True,
            comment="office, year, volume, number; null where another act holds it",
        ),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_act")),
        sa.UniqueConstraint("number_key", name=op.f("uq_act_number_key")),
    )
    op.create_index("ix_act_birth", "act", ["birth", "year", "delay"], unique=False)
    op.create_index("ix_act_feed", "act", ["area", "seq", "id"], unique=False)
    op.create_index("ix_act_office_year", "act", ["office", "year", "number"], unique=False)


def _birth() -> None:
    op.create_table(
        "birth",
        sa.Column("id", ID, nullable=False),
        sa.Column("person", ID, nullable=True),
        sa.Column("nom", sa.Text(), nullable=True),
        sa.Column("postnom", sa.Text(), nullable=True),
        sa.Column("prenom", sa.Text(), nullable=True),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Text(), nullable=True),
        sa.Column("birth_precision", sa.Text(), nullable=True),
        sa.Column("birth_words", sa.Text(), nullable=True),
        sa.Column("birth_time", sa.Text(), nullable=True),
        sa.Column("birth_place", sa.Text(), nullable=True),
        sa.Column("facility", sa.Text(), nullable=True),
        sa.Column("multiple", sa.Text(), nullable=True),
        sa.Column("order", sa.BigInteger(), nullable=True),
        sa.Column("declared_on", sa.Text(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=True),
        sa.Column("paper", sa.Text(), nullable=True),
        sa.Column("paper_ref", sa.Text(), nullable=True),
        sa.Column("declarant_name", sa.Text(), nullable=True),
        sa.Column("declarant_relation", sa.Text(), nullable=True),
        sa.Column("mother", ID, nullable=True),
        sa.Column("father", ID, nullable=True),
        sa.Column("mother_name", sa.Text(), nullable=True),
        sa.Column("father_name", sa.Text(), nullable=True),
        sa.Column("mother_birth_date", sa.Text(), nullable=True),
        sa.Column("mother_residence", sa.Text(), nullable=True),
        sa.Column("mother_quartier", sa.Text(), nullable=True),
        sa.Column("mother_nationality", sa.Text(), nullable=True),
        sa.Column("mother_occupation", sa.Text(), nullable=True),
        sa.Column("mother_marital_status", sa.Text(), nullable=True),
        sa.Column("father_birth_date", sa.Text(), nullable=True),
        sa.Column("father_residence", sa.Text(), nullable=True),
        sa.Column("father_nationality", sa.Text(), nullable=True),
        sa.Column("father_occupation", sa.Text(), nullable=True),
        sa.Column("attendant", sa.Text(), nullable=True),
        sa.Column("witnesses", sa.Text(), nullable=True, comment="JSON"),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("interpreter", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("office", sa.Text(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_birth")),
    )
    op.create_index("ix_birth_feed", "birth", ["area", "seq", "id"], unique=False)
    op.create_index(op.f("ix_birth_mother"), "birth", ["mother"], unique=False)


def _link() -> None:
    op.create_table(
        "link",
        sa.Column("id", ID, nullable=False),
        sa.Column("birth", ID, nullable=True),
        sa.Column("person", ID, nullable=True),
        sa.Column("act", ID, nullable=True),
        sa.Column("household", ID, nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
    )
    op.create_index(op.f("ix_link_act"), "link", ["act"], unique=False)
    op.create_index("ix_link_feed", "link", ["area", "seq", "id"], unique=False)
    op.create_index(op.f("ix_link_person"), "link", ["person"], unique=False)


def _task() -> None:
    op.create_table(
        "task",
        sa.Column("id", ID, nullable=False),
        sa.Column("what", sa.Text(), nullable=True),
        sa.Column("birth", ID, nullable=True),
        sa.Column("act", ID, nullable=True),
        sa.Column("commune", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    op.create_index("ix_task_feed", "task", ["area", "seq", "id"], unique=False)
