"""Priorities, limits, retries and roll-back"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def upgrade() -> None:
    priority = _one_of("priority", "incident", "change", "drill", "drift")
    on_failure = _one_of("on_failure", "keep", "roll_back")
    with op.batch_alter_table("run") as batch:
        batch.add_column(sa.Column("priority", priority, nullable=False, server_default="change"))
        batch.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("on_failure", on_failure, nullable=False, server_default="keep"))
        batch.add_column(sa.Column("cause", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("hosts", sa.JSON(), nullable=False, server_default="[]"))
        batch.create_foreign_key(batch.f("fk_run_cause_run"), "run", ["cause"], ["id"])
        batch.drop_index("ix_run_state")
    op.execute("update run set due_at = created_at")
    with op.batch_alter_table("run") as batch:
        batch.alter_column("due_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch.alter_column("priority", existing_type=priority, server_default=None)
        batch.alter_column("on_failure", existing_type=on_failure, server_default=None)
        batch.alter_column("hosts", existing_type=sa.JSON(), server_default=None)
        batch.create_index("ix_run_state_due_at", ["state", "due_at"])
        batch.create_index(batch.f("ix_run_cause"), ["cause"])
        batch.create_index(batch.f("ix_run_plan"), ["plan"])
    with op.batch_alter_table("plan") as batch:
        batch.create_index(batch.f("ix_plan_created_at"), ["created_at"])
    with op.batch_alter_table("step") as batch:
        batch.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "tick",
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("schedule", "due_at", name=op.f("pk_tick")),
    )
    with op.batch_alter_table("allocation") as batch:
        batch.add_column(sa.Column("position", sa.Integer(), nullable=True))
        batch.create_index("ix_allocation_site_pool_position", ["site", "pool", "position"])
    with op.batch_alter_table("worker") as batch:
        batch.add_column(sa.Column("runs", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("event") as batch:
        batch.drop_index("ix_event_agency")
        batch.create_index("ix_event_agency_at", ["agency", "at"])
        batch.create_index(batch.f("ix_event_at"), ["at"])
