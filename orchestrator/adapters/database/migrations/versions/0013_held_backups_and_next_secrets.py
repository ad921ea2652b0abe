"""Backups that are held when their service has ended, and secrets that are to take others' places"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PURPOSES = ("onboard", "change", "offboard", "backup", "drill", "drift", "destroy")


def upgrade() -> None:
    with op.batch_alter_table("run") as batch:
        batch.drop_constraint(batch.f("ck_run_purpose"), type_="check")
        batch.create_check_constraint(batch.f("ck_run_purpose"), sa.column("purpose").in_(PURPOSES))
    op.add_column("secret", sa.Column("next_token", sa.LargeBinary(), nullable=True))
    op.create_table(
        "held_backup",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("function", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agency.id"], name=op.f("fk_held_backup_agency_agency")),
        sa.PrimaryKeyConstraint("agency", "host", name=op.f("pk_held_backup")),
    )
