"""The batches of a revoked device as the province names them: what was brought of them falls with them. And the last
receipt heard of the province, by which a restored one is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_brought_batch"
down_revision = "2026_11_26_takeover"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "brought_batch",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("prev", sa.String(64), comment="the batch before, as its header says"),
        sa.Column("answer", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unfolded", sa.Boolean(), comment="as of a batch held here"),
        sa.ForeignKeyConstraint(["origin"], ["origin.id"], name=op.f("fk_brought_batch_origin")),
        sa.ForeignKeyConstraint(["answer"], ["brought_answer.id"], name=op.f("fk_brought_batch_answer")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_brought_batch")),
        comment="batches of a revoked device as the province names them, whether or not they ever come here",
    )
    op.create_index(op.f("ix_brought_batch_origin"), "brought_batch", ["origin"])
    sha256 = "the batch the province receipted last, as far as known here"
    at = "when it did: a province that does not know of it was restored"
    op.add_column("node", sa.Column("heard_sha256", sa.String(64), nullable=True, comment=sha256))
    op.add_column("node", sa.Column("heard_at", sa.String(30), nullable=True, comment=at))
