"""Which batches a revocation left out, why a device was revoked, and what a supervisor should see of its work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_25_revocation"
down_revision = "2026_11_25_trays"
branch_labels = None
depends_on = None


def upgrade() -> None:
    revoked = "the device is revoked: each of its batches is judged (app.ledger.revocation)"
    unfolded = "true: left out by a revocation; null: it stands"
    op.add_column(
        "origin",
        sa.Column("revoked", sa.Boolean(), nullable=False, server_default=sa.false(), comment=revoked),
    )
    jumped = "more than a day at once; null: not, or confirmed since"
    op.add_column("node", sa.Column("clock_jumped_at", sa.String(30), nullable=True, comment=jumped))
    op.add_column("batch", sa.Column("unfolded", sa.Boolean(), nullable=True, comment=unfolded))
    op.create_index("ix_departure_id", "departure", ["id"], unique=False)
    op.add_column("device", sa.Column("revoked_reason", sa.Text(), nullable=True))
    op.add_column("device", sa.Column("release", sa.Text(), nullable=True))
    for name in ("outside_areas", "other_author"):
        op.add_column("device_contact", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
