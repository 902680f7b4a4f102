"""Second factors, recovery codes and events of officers; dates of office and the role of delegate. Open sessions end:
everyone logs in once after the upgrade."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_people"
down_revision = "2026_11_26_act_volume"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
ROLES = "'agent', 'clerk', 'registrar', 'delegate', 'supervisor', 'planner', 'admin'"


def upgrade() -> None:
    with op.batch_alter_table("officer") as officer:
        officer.add_column(sa.Column("office_from", sa.String(10)))
        officer.add_column(sa.Column("office_to", sa.String(10)))
        officer.add_column(sa.Column("appointed_by", sa.Text()))
        officer.drop_constraint(op.f("ck_officer_role"), type_="check")
        officer.create_check_constraint(op.f("ck_officer_role"), f"role IN ({ROLES})")
    op.execute("DELETE FROM officer_session")
    with op.batch_alter_table("officer_session") as session:
        session.add_column(sa.Column("id", ID, nullable=False))
        session.add_column(sa.Column("second_factor_at", sa.String(24)))
        session.create_unique_constraint(op.f("uq_officer_session_id"), ["id"])
    op.create_table(
        "officer_factor",
        sa.Column("officer", ID, nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("started_at", sa.String(24), nullable=False),
        sa.Column("confirmed_at", sa.String(24)),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["officer"], ["officer.id"], name=op.f("fk_officer_factor_officer")),
        sa.PrimaryKeyConstraint("officer", name=op.f("pk_officer_factor")),
    )
    op.create_table(
        "officer_recovery",
        sa.Column("officer", ID, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("used_at", sa.String(24)),
        sa.ForeignKeyConstraint(["officer"], ["officer.id"], name=op.f("fk_officer_recovery_officer")),
        sa.PrimaryKeyConstraint("officer", "code_hash", name=op.f("pk_officer_recovery")),
    )
    _events()


def _events() -> None:
    op.create_table(
        "officer_event",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("officer", ID, nullable=False),
        sa.Column("by", ID),
        sa.Column("event", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["officer"], ["officer.id"], name=op.f("fk_officer_event_officer")),
        sa.ForeignKeyConstraint(["by"], ["officer.id"], name=op.f("fk_officer_event_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer_event")),
    )
    op.create_index(op.f("ix_officer_event_officer"), "officer_event", ["officer"])
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER officer_event_no_{act.lower()} BEFORE {act} ON officer_event "
                "BEGIN SELECT RAISE(ABORT, 'officer_event is only appended to'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION officer_event_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'officer_event is only appended to'; END $$"
    )
    op.execute(
        "CREATE TRIGGER officer_event_no_change BEFORE UPDATE OR DELETE ON officer_event "
        "FOR EACH ROW EXECUTE FUNCTION officer_event_refuse()"
    )
