"""Runs and steps that wait for people, and the tickets they wait for"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

RUN_STATES = ("queued", "admitted", "running", "waiting", "succeeded", "failed", "cancelled")
STEP_STATES = (
    "pending", "running", "waiting", "succeeded", "failed", "unreachable", "timed_out", "cancelled", "errored",
)  # fmt: skip


def upgrade() -> None:
    _widen("run", "state", RUN_STATES, numbered=True)
    _widen("step", "state", STEP_STATES, numbered=False)
    op.create_table(
        "work_order",
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("ticket", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at_risk_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run", "step", name=op.f("pk_work_order")),
    )


def _widen(table: str, column: str, values: tuple[str, ...], *, numbered: bool) -> None:
    """Let an enumeration take more values: its check constraint is made anew. On SQLite that copies the table, which
    must go on giving its numbers once."""
    kept = {"sqlite_autoincrement": True} if numbered else {}
    with op.batch_alter_table(table, table_kwargs=kept) as batch:
        batch.drop_constraint(batch.f(f"ck_{table}_{column}"), type_="check")
        batch.create_check_constraint(batch.f(f"ck_{table}_{column}"), sa.column(column).in_(values))
