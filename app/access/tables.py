"""Tables of access: officers, their factors and sessions, the journal of reads and the answers kept for replay."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import METADATA, Id

ROLES = ("agent", "clerk", "registrar", "delegate", "supervisor", "planner", "admin")

officer = sa.Table(
    "officer",
    METADATA,
    sa.Column("id", Id, primary_key=True),
    sa.Column("username", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("commune", sa.String(16)),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("disabled_at", sa.String(24)),
    sa.Column("created_at", sa.String(24), nullable=False),
    sa.Column("office_from", sa.String(10)),
    sa.Column("office_to", sa.String(10)),
    sa.Column("appointed_by", sa.Text),
    sa.CheckConstraint(f"role IN ({', '.join(repr(role) for role in ROLES)})", name="role"),
)

officer_session = sa.Table(
    "officer_session",
    METADATA,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("officer", Id, sa.ForeignKey("officer.id"), nullable=False, index=True),
    sa.Column("purpose", sa.Text),
    sa.Column("created_at", sa.String(24), nullable=False),
    sa.Column("expires_at", sa.String(24), nullable=False),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("second_factor_at", sa.String(24)),
)

# The secret stands in clear, as docs/decisions/0011-signing.md explains; `last_step` is the last 30 s step used.
officer_factor = sa.Table(
    "officer_factor",
    METADATA,
    sa.Column("officer", Id, sa.ForeignKey("officer.id"), primary_key=True),
    sa.Column("secret", sa.String(64), nullable=False),
    sa.Column("started_at", sa.String(24), nullable=False),
    sa.Column("confirmed_at", sa.String(24)),
    sa.Column("last_step", sa.BigInteger, nullable=False),
)

officer_recovery = sa.Table(
    "officer_recovery",
    METADATA,
    sa.Column("officer", Id, sa.ForeignKey("officer.id"), primary_key=True),
    sa.Column("code_hash", sa.String(64), primary_key=True),
    sa.Column("used_at", sa.String(24)),
)

# Appended to only, as the journal of reads is: `by` is NULL where the command line acted.
officer_event = sa.Table(
    "officer_event",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.String(24), nullable=False),
    sa.Column("officer", Id, sa.ForeignKey("officer.id"), nullable=False, index=True),
    sa.Column("by", Id, sa.ForeignKey("officer.id")),
    sa.Column("event", sa.String(40), nullable=False),
)

# Appended to only: triggers on both engines refuse UPDATE and DELETE.
read_journal = sa.Table(
    "read_journal",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.String(24), nullable=False),
    sa.Column("officer", Id, sa.ForeignKey("officer.id"), nullable=False),
    sa.Column("purpose", sa.Text),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("subject", Id, nullable=False, index=True),
    sa.Column("commune", sa.String(16)),
    sa.Column("route", sa.Text, nullable=False),
)

idempotency = sa.Table(
    "idempotency",
    METADATA,
    sa.Column("officer", Id, sa.ForeignKey("officer.id"), primary_key=True),
    sa.Column("route", sa.String(200), primary_key=True),
    sa.Column("key", sa.String(100), primary_key=True),
    sa.Column("request_hash", sa.String(64), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", sa.String(24), nullable=False),
)
