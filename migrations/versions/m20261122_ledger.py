"""The ledger: batches as signed, origins, areas, trays, devices, the node."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_22_ledger"
down_revision = "2026_11_22_territory"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _admitted()
    _area()
    _clock_confirmation()
    _device()
    _device_contact()
    _device_session()
    _fork()
    _invitation()
    _node()
    _origin()
    _other()
    _used_nonce()
    _waiting()
    _batch()
    _conflict()
    _departure()
    _quarantine()


def _admitted() -> None:
    op.create_table(
        "admitted",
        sa.Column("dev", ID, nullable=False),
        sa.Column("grant", sa.Text(), nullable=False, comment="on which a device unknown here was taken"),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dev", name=op.f("pk_admitted")),
    )


def _area() -> None:
    op.create_table(
        "area",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_area")),
        sa.UniqueConstraint("code", name=op.f("uq_area_code")),
    )


def _clock_confirmation() -> None:
    op.create_table(
        "clock_confirmation",
        sa.Column("id", ID, nullable=False),
        sa.Column("confirmed_at", sa.Text(), nullable=True),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("node", ID, nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock_confirmation")),
    )
    op.create_index("ix_clock_confirmation_feed", "clock_confirmation", ["area", "seq", "id"], unique=False)


def _device() -> None:
    op.create_table(
        "device",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("areas", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("grant", sa.Text(), nullable=True),
        sa.Column("expires", sa.Text(), nullable=True),
        sa.Column("granted_by", sa.Text(), nullable=True),
        sa.Column("revoked", sa.Text(), nullable=True),
        sa.Column("server", sa.Boolean(), nullable=True),
        sa.Column("node_cert", sa.Text(), nullable=True),
        sa.Column("demo", sa.Boolean(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    op.create_index("ix_device_feed", "device", ["area", "seq", "id"], unique=False)


def _device_contact() -> None:
    op.create_table(
        "device_contact",
        sa.Column("dev", ID, nullable=False),
        sa.Column("last_contact", sa.String(length=30), nullable=False),
        sa.Column("clock_offset", sa.Float(), nullable=True),
        sa.Column("prev_gap", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("dev", name=op.f("pk_device_contact")),
    )


def _device_session() -> None:
    op.create_table(
        "device_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("dev", ID, nullable=False),
        sa.Column("expires_at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_device_session")),
    )


def _fork() -> None:
    op.create_table(
        "fork",
        sa.Column("dot", sa.Text(), nullable=False),
        sa.Column("dev", ID, nullable=False),
        sa.Column("at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("dot", name=op.f("pk_fork")),
    )


def _invitation() -> None:
    op.create_table(
        "invitation",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("agent", ID, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("areas", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=30), nullable=False),
        sa.Column("expires_at", sa.String(length=30), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("thumbprint", sa.String(length=64), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_invitation")),
    )


def _node() -> None:
    op.create_table(
        "node",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("dev", ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("commune", sa.String(length=16), nullable=True),
        sa.Column("ep", sa.BigInteger(), nullable=False),
        sa.Column("feed", sa.String(length=36), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.String(length=30), nullable=False),
        sa.Column("province", sa.String(length=64), nullable=True),
        sa.Column("node_cert", sa.Text(), nullable=True),
        sa.Column("grant", sa.Text(), nullable=True),
        sa.Column("upstream_url", sa.Text(), nullable=True),
        sa.Column("upstream_node", ID, nullable=True),
        sa.Column("upstream_key", sa.Text(), nullable=True),
        sa.Column("upstream_time", sa.String(length=30), nullable=True),
        sa.Column("upstream_offset", sa.Float(), nullable=True),
        sa.Column("relayed_at", sa.String(length=30), nullable=True),
        sa.Column("clock_confirmed_at", sa.String(length=30), nullable=True),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_node")),
    )


def _origin() -> None:
    op.create_table(
        "origin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dev", ID, nullable=False),
        sa.Column("ep", sa.BigInteger(), nullable=False),
        sa.Column(
            "ranges", sa.Text(), nullable=False, comment="received operation numbers, JSON [[first,last],…]"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_origin")),
        sa.UniqueConstraint("dev", "ep", name=op.f("uq_origin_dev_ep")),
    )


def _other() -> None:
    op.create_table(
        "other",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", "kind", name=op.f("pk_other")),
    )
    op.create_index("ix_other_feed", "other", ["area", "seq", "id"], unique=False)


def _used_nonce() -> None:
    op.create_table(
        "used_nonce",
        sa.Column("nonce", sa.String(length=128), nullable=False),
        sa.Column("expires_at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_used_nonce")),
    )


def _waiting() -> None:
    op.create_table(
        "waiting",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entity", ID, nullable=False),
        sa.Column("dot", sa.Text(), nullable=False, comment="the operation that waits"),
        sa.Column(
            "awaited_dev", ID, nullable=True, comment="null: waits for the entity's first writing down"
        ),
        sa.Column("awaited_ep", sa.BigInteger(), nullable=True),
        sa.Column("awaited_n", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.String(length=30), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting")),
    )
    op.create_index("ix_waiting_awaited", "waiting", ["awaited_dev", "awaited_ep", "awaited_n"], unique=False)
    op.create_index("ix_waiting_entity", "waiting", ["entity"], unique=False)


def _batch() -> None:
    op.create_table(
        "batch",
        sa.Column("id", BIG, nullable=False),
        sa.Column("origin", sa.Integer(), nullable=True),
        sa.Column("dev", ID, nullable=False, comment="signer, also when the header is unreadable"),
        sa.Column("from_n", sa.BigInteger(), nullable=True),
        sa.Column("to_n", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("prev", sa.String(length=64), nullable=True),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="the signed bytes, zstd"),
        sa.Column("received_at", sa.String(length=30), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("receipt_signature", sa.Text(), nullable=True),
        sa.Column("province_receipt", sa.Text(), nullable=True),
        sa.Column("province_signature", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["origin"], ["origin.id"], name=op.f("fk_batch_origin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("sha256", name=op.f("uq_batch_sha256")),
    )
    op.create_index("ix_batch_origin_from_n", "batch", ["origin", "from_n"], unique=False)
    op.create_index(
        "ix_batch_unsettled",
        "batch",
        ["id"],
        unique=False,
        sqlite_where=sa.text("province_receipt IS NULL"),
        postgresql_where=sa.text("province_receipt IS NULL"),
    )


def _conflict() -> None:
    op.create_table(
        "conflict",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column(
            "weight",
            sa.Integer(),
            nullable=False,
            comment="1 a person must decide, 0 a later visit may close it",
        ),
        sa.Column("opened_at", sa.String(length=30), nullable=False),
        sa.ForeignKeyConstraint(["area"], ["area.id"], name=op.f("fk_conflict_area")),
        sa.PrimaryKeyConstraint("kind", "id", "register", name=op.f("pk_conflict")),
    )
    op.create_index("ix_conflict_area", "conflict", ["area"], unique=False)


def _departure() -> None:
    op.create_table(
        "departure",
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["area"], ["area.id"], name=op.f("fk_departure_area")),
        sa.PrimaryKeyConstraint("area", "seq", "id", "kind", name=op.f("pk_departure")),
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", BIG, nullable=False),
        sa.Column("dev", ID, nullable=False),
        sa.Column("ep", sa.BigInteger(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="of the batch"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=True),
        sa.Column("at", sa.String(length=30), nullable=False),
        sa.ForeignKeyConstraint(["area"], ["area.id"], name=op.f("fk_quarantine_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
