"""Files of paper acts brought to this node, what is wrong in them, and pages keyed twice (local tables)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_takeover"
down_revision = "2026_11_26_duplicates"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "takeover_file",
        sa.Column("id", ID, nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, comment="of content, mapping and sheet"),
        sa.Column("content", sa.LargeBinary(), comment="zlib; null once every line was entered or refused"),
        sa.Column("sheet", sa.Text()),
        sa.Column("encoding", sa.Text()),
        sa.Column("mapping", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("officer", ID, nullable=False),
        sa.Column("officer_name", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="checking, checked, entering, done or keying"),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False, comment="lines gone through while entering"),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column(
            "known", sa.BigInteger(), nullable=False, comment="stand in the register already, word for word"
        ),
        sa.Column("wrong", sa.BigInteger(), nullable=False),
        sa.Column("faults", sa.BigInteger(), nullable=False),
        sa.Column("delays", sa.Text(), nullable=False, comment="JSON"),
        sa.PrimaryKeyConstraint("id", name="pk_takeover_file"),
        sa.UniqueConstraint("digest", name="uq_takeover_file_digest"),
    )
    op.create_index("ix_takeover_file_commune_at", "takeover_file", ["commune", "at", "id"])
    op.create_table(
        "takeover_fault",
        sa.Column("file", ID, nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("file", "row", "n", name="pk_takeover_fault"),
        sa.ForeignKeyConstraint(["file"], ["takeover_file.id"], name="fk_takeover_fault_file"),
    )
    op.create_table(
        "takeover_keying",
        sa.Column("id", ID, nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first", ID, nullable=False),
        sa.Column("second", ID, nullable=False),
        sa.Column(
            "fields", sa.BigInteger(), nullable=False, comment="fields compared on lines both officers keyed"
        ),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("by", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_takeover_keying"),
        sa.UniqueConstraint("first", name="uq_takeover_keying_first"),
        sa.UniqueConstraint("second", name="uq_takeover_keying_second"),
        sa.ForeignKeyConstraint(["first"], ["takeover_file.id"], name="fk_takeover_keying_first"),
        sa.ForeignKeyConstraint(["second"], ["takeover_file.id"], name="fk_takeover_keying_second"),
    )
    op.create_index("ix_takeover_keying_commune_at", "takeover_keying", ["commune", "at", "id"])
    op.create_table(
        "takeover_keyed_line",
        sa.Column("keying", ID, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("number_key", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="equal, differs, first_only, second_only, wrong, taken, ruled, entered",
        ),
        sa.Column("first", sa.Text(), comment="JSON: the fields as the first officer keyed them"),
        sa.Column("second", sa.Text(), comment="JSON"),
        sa.Column("agreed", sa.Text(), comment="JSON: the fields that enter the register"),
        sa.Column(
            "differing", sa.BigInteger(), nullable=False, comment="fields the two officers keyed differently"
        ),
        sa.Column(
            "first_wrong", sa.BigInteger(), nullable=False, comment="fields the arbitration found wrong"
        ),
        sa.Column("second_wrong", sa.BigInteger(), nullable=False),
        sa.Column("ruled_by", ID),
        sa.Column("ruled_name", sa.Text()),
        sa.Column("ruled_at", sa.Text()),
        sa.PrimaryKeyConstraint("keying", "n", name="pk_takeover_keyed_line"),
        sa.UniqueConstraint("keying", "number_key", name="uq_takeover_keyed_line_keying_number_key"),
        sa.ForeignKeyConstraint(["keying"], ["takeover_keying.id"], name="fk_takeover_keyed_line_keying"),
    )
    op.create_index("ix_takeover_keyed_line_state", "takeover_keyed_line", ["keying", "state", "n"])
