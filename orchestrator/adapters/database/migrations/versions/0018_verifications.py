"""Runs that verify what an agency has"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

PURPOSES = ("onboard", "change", "offboard", "backup", "drill", "drift", "destroy", "verify")


def upgrade() -> None:
    with op.batch_alter_table("run") as batch:
        batch.drop_constraint(batch.f("ck_run_purpose"), type_="check")
        batch.create_check_constraint(batch.f("ck_run_purpose"), sa.column("purpose").in_(PURPOSES))
