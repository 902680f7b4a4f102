"""The books, drafts, late procedures, margin notes, documents and pairings of civil registration. Notes, documents and
deliveries are written once: triggers on both engines say so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_civil_registers"
down_revision = "2026_11_25_act_standing"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
ID_FIELDS = frozenset({"act", "annotation", "birth", "campaign", "document", "first", "second"})
NUMBERS = frozenset(
    {"acts", "fee", "last_number", "least_age", "most_age", "number", "score", "sheets", "volet", "year"}
)
FLAGS = frozenset({"fee_waived", "free", "main"})
JSON = frozenset({"changes", "facts", "read_to", "reasons"})
# Table -> its fields, those with an index marked by a star.
TABLES = {
    "civil_office": "code* commune name main address valid_from valid_to",
    "book": (
        "commune office* register year volume sheets initialled_on initialled_by opened_on "
        "opened_by closed_on closed_by closed_name acts last_number statement"
    ),
    "volet": "act* commune volet holder sent_on sent_to slip note recorded_by",
    "provisional": (
        "birth* commune office year number declared_on reason issued_on issued_by stage act numbered_on"
    ),
    "draft": (
        "birth* commune office volume folio text facts drawn_on drawn_at drawn_by drawn_name "
        "read_at read_by read_to read_language interpreter remarks stage act"
    ),
    "late_procedure": (
        "birth* commune office path court_kind court campaign fee_waived opened_on opened_by "
        "sent_on slip requested_on requester request_number judged_on judgment_number outcome "
        "served_on served_to no_appeal_on no_appeal_number homologated_on homologation_number "
        "transcribed_on act closed_on closed_reason note"
    ),
    "campaign": "name commune starts_on ends_on least_age most_age court fee_waived decision note",
    "annotation": (
        "act* birth commune type authority court reference date text changes recorded_on "
        "recorded_at recorded_by recorded_name confirmed_by confirmed_name facts"
    ),
    "annulment": (
        "act* commune court reference date text proposed_on proposed_at proposed_by "
        "proposed_name confirmed_on confirmed_at confirmed_by confirmed_name stage annotation "
        "note"
    ),
    "civil_document": (
        "act* birth* commune office type year number issued_on issued_at issued_by "
        "issued_name purpose signed_code key_id template facts"
    ),
    "civil_delivery": (
        "document act* birth* commune to_name to_relation identity delivered_on delivered_at "
        "free fee fee_rule recorded_by recorded_name"
    ),
    "pairing": (
        "of first* second* commune other_commune reference other_reference verdict decided_on decided_at decided_by "
        "decided_name score reasons note"
    ),
}
FINAL = ("annotation", "civil_document", "civil_delivery")
MOVING = frozenset({"area", "seq", "rev", "registers"})


def upgrade() -> None:
    for name, fields in TABLES.items():
        _register_table(name, fields.split())
    # Asked for at every issue: the last number of an office and year.
    op.create_index("ix_civil_document_number", "civil_document", ["office", "year", "number"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_final_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'ce qui est inscrit ne se modifie pas'; END$$"
        )
    for name in FINAL:
        _guard(name)


def _register_table(name: str, fields: list[str]) -> None:
    indexed = [field.rstrip("*") for field in fields if field.endswith("*")]
    op.create_table(
        name,
        sa.Column("id", ID, nullable=False),
        *(_column(field.rstrip("*")) for field in fields),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("doubtful", sa.Text(), nullable=True, comment="known fields in extra, each between spaces"),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=True, comment="hidden; null = no"),
        sa.Column("merged_into", ID, nullable=True, comment="the id it is shown under; null = its own"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(f"ix_{name}_feed", name, ["area", "seq", "id"])
    for column, places in (("merged_into", ["merged_into"]), ("doubtful", ["area", "id"])):
        some = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_{name}_{column}", name, places, sqlite_where=some, postgresql_where=some)
    for column in indexed:
        op.create_index(op.f(f"ix_{name}_{column}"), name, [column])


def _column(field: str) -> sa.Column[object]:
    if field in ID_FIELDS:
        return sa.Column(field, ID, nullable=True)
    if field in NUMBERS:
        return sa.Column(field, sa.BigInteger(), nullable=True)
    if field in FLAGS:
        return sa.Column(field, sa.Boolean(), nullable=True)
    return sa.Column(field, sa.Text(), nullable=True, comment="JSON" if field in JSON else None)


def _guard(name: str) -> None:
    """Only where a row stands in the feed may change; whoever deletes, empties or replaces is refused."""
    connection = op.get_bind()
    every = (column["name"] for column in sa.inspect(connection).get_columns(name))
    columns = ", ".join(f'"{column}"' for column in every if column not in MOVING)
    if connection.dialect.name == "postgresql":
        refuse = "EXECUTE FUNCTION refuse_final_change()"
        op.execute(
            f"CREATE TRIGGER {name}_is_final BEFORE UPDATE OF {columns} ON {name} FOR EACH ROW {refuse}"
        )
        op.execute(f"CREATE TRIGGER {name}_stays BEFORE DELETE ON {name} FOR EACH ROW {refuse}")
        op.execute(f"CREATE TRIGGER {name}_is_kept BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {refuse}")
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'ce qui est inscrit ne se modifie pas'); END"
    op.execute(f"CREATE TRIGGER {name}_is_final BEFORE UPDATE OF {columns} ON {name} {refuse}")
    op.execute(f"CREATE TRIGGER {name}_stays BEFORE DELETE ON {name} {refuse}")
    held = f"EXISTS (SELECT 1 FROM {name} WHERE id = NEW.id)"  # noqa: S608 - a name of this file
    op.execute(f"CREATE TRIGGER {name}_is_not_replaced BEFORE INSERT ON {name} WHEN {held} {refuse}")
