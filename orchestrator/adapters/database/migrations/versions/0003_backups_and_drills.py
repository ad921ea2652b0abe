"""Backups, drills, canaries and evidence"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PURPOSES = ("onboard", "change", "offboard", "backup", "drill")
VERBS = (
    "precheck", "provision", "verify", "backup", "restore", "retire",
    "examine", "pin", "prepare", "start", "probe", "check", "cleanup", "report",
)  # fmt: skip
DRILL_STATES = (
    "approval_pending", "approved", "scheduled", "precheck", "pinned", "preparing", "restoring", "starting", "probing",
    "verifying", "sealed", "cleanup", "reported", "rejected", "expired", "blocked", "skipped_blackout", "misfired",
    "failed", "aborted", "preempted", "cleanup_failed",
)  # fmt: skip


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    _widen("run", "purpose", PURPOSES)
    _widen("step", "verb", VERBS)
    with op.batch_alter_table("step") as batch:
        batch.add_column(sa.Column("always", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("result", sa.JSON(), nullable=True))
        batch.create_index("ix_step_verb_component", ["verb", "component"])
    op.create_table(
        "drill",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("moment", _one_of("moment", "random", "worst", "now"), nullable=False),
        sa.Column("state", _one_of("state", *DRILL_STATES), nullable=False),
        sa.Column("scheduled_at", _instant(), nullable=False),
        sa.Column("window_end", _instant(), nullable=True),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("plan", sa.BigInteger(), nullable=True),
        sa.Column("plan_digest", sa.String(), nullable=True),
        sa.Column("approval", sa.JSON(), nullable=True),
        sa.Column("run", sa.BigInteger(), nullable=True),
        sa.Column("created_at", _instant(), nullable=False),
        sa.Column("finished_at", _instant(), nullable=True),
        sa.Column(
            "verdict",
            _one_of("verdict", "pass", "pass_with_findings", "fail", "inconclusive", "invalid"),
            nullable=True,
        ),
        sa.Column("rto_seconds", sa.Float(), nullable=True),
        sa.Column("rpo_seconds", sa.Float(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("evidence_digest", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill")),
        sa.UniqueConstraint("key", name=op.f("uq_drill_key")),
        sa.ForeignKeyConstraint(["agency"], ["agency.id"], name=op.f("fk_drill_agency_agency")),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("fk_drill_plan_plan")),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_drill_run_run")),
    )
    op.create_index(op.f("ix_drill_state"), "drill", ["state"])
    op.create_index(op.f("ix_drill_run"), "drill", ["run"])
    op.create_index("ix_drill_agency_component", "drill", ["agency", "component"])
    op.create_table(
        "canary",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("sent_at", _instant(), nullable=False),
        sa.Column("acknowledged_at", _instant(), nullable=True),
        sa.PrimaryKeyConstraint("agency", "component", "number", name=op.f("pk_canary")),
    )


def _widen(table: str, column: str, values: tuple[str, ...]) -> None:
    """Let an enumeration take more values: its check constraint is made anew."""
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(batch.f(f"ck_{table}_{column}"), type_="check")
        batch.create_check_constraint(batch.f(f"ck_{table}_{column}"), sa.column(column).in_(values))
