"""Runs that move a service to other hosts, and the copies that they leave behind"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

PURPOSES = (
    "onboard", "change", "offboard", "backup", "drill", "drift", "destroy", "verify", "failover", "failback",
)  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table("run", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint(batch.f("ck_run_purpose"), type_="check")
        batch.create_check_constraint(batch.f("ck_run_purpose"), sa.column("purpose").in_(PURPOSES))
    op.add_column("service_instance", sa.Column("elsewhere", sa.JSON(), nullable=False, server_default="{}"))
