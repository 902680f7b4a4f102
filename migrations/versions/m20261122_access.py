"""Officers, their sessions, the journal of reads and the answers kept for replay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_22_access"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "officer",
        sa.Column("id", ID, nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("commune", sa.String(16)),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.String(24)),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.CheckConstraint(
            "role IN ('agent', 'clerk', 'registrar', 'supervisor', 'planner', 'admin')",
            name=op.f("ck_officer_role"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer")),
        sa.UniqueConstraint("username", name=op.f("uq_officer_username")),
    )
    op.create_table(
        "officer_session",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("officer", ID, nullable=False),
        sa.Column("purpose", sa.Text()),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.Column("expires_at", sa.String(24), nullable=False),
        sa.ForeignKeyConstraint(["officer"], ["officer.id"], name=op.f("fk_officer_session_officer")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_officer_session")),
    )
    op.create_index(op.f("ix_officer_session_officer"), "officer_session", ["officer"])
    _journal()
    op.create_table(
        "idempotency",
        sa.Column("officer", ID, nullable=False),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.ForeignKeyConstraint(["officer"], ["officer.id"], name=op.f("fk_idempotency_officer")),
        sa.PrimaryKeyConstraint("officer", "route", "key", name=op.f("pk_idempotency")),
    )


def _journal() -> None:
    op.create_table(
        "read_journal",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("officer", ID, nullable=False),
        sa.Column("purpose", sa.Text()),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("commune", sa.String(16)),
        sa.Column("route", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["officer"], ["officer.id"], name=op.f("fk_read_journal_officer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_journal")),
    )
    op.create_index(op.f("ix_read_journal_subject"), "read_journal", ["subject"])
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER read_journal_no_{act.lower()} BEFORE {act} ON read_journal "
                "BEGIN SELECT RAISE(ABORT, 'read_journal is only appended to'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION read_journal_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'read_journal is only appended to'; END $$"
    )
    op.execute(
        "CREATE TRIGGER read_journal_no_change BEFORE UPDATE OR DELETE ON read_journal "
        "FOR EACH ROW EXECUTE FUNCTION read_journal_refuse()"
    )
