"""Runs that compare what is found with what is recorded"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PURPOSES = ("onboard", "change", "offboard", "backup", "drill", "drift")
VERBS = (
    "precheck", "provision", "verify", "backup", "restore", "retire", "compare",
    "examine", "pin", "prepare", "start", "probe", "check", "cleanup", "report",
)  # fmt: skip


def upgrade() -> None:
    _widen("run", "purpose", PURPOSES)
    _widen("step", "verb", VERBS)
    op.create_index("ix_run_purpose_agency", "run", ["purpose", "agency"])


def _widen(table: str, column: str, values: tuple[str, ...]) -> None:
    """Let an enumeration take more values: its check constraint is made anew."""
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(batch.f(f"ck_{table}_{column}"), type_="check")
        batch.create_check_constraint(batch.f(f"ck_{table}_{column}"), sa.column(column).in_(values))
