"""A registered act is neither voided nor merged, and its doubts stand: the new columns are as final as the others."""

from __future__ import annotations

from alembic import op

revision = "2026_11_25_act_standing"
down_revision = "2026_11_25_revocation"
branch_labels = None
depends_on = None

COLUMNS = "doubtful, void, merged_into"


def upgrade() -> None:
    refuse = (
        "FOR EACH ROW EXECUTE FUNCTION refuse_act_change()"
        if op.get_bind().dialect.name == "postgresql"
        else "BEGIN SELECT RAISE(ABORT, 'un acte enregistré ne se modifie pas'); END"
    )
    op.execute(f"CREATE TRIGGER act_stands BEFORE UPDATE OF {COLUMNS} ON act {refuse}")
