"""What stands in a volume is counted for every act drawn up: an index by office, year, volume and number answers it."""

from __future__ import annotations

from alembic import op

revision = "2026_11_26_act_volume"
down_revision = "2026_11_26_civil_registers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_act_volume", "act", ["office", "year", "volume", "number"])
