"""What tells that a clock was set, who watched, and when a drill's disaster is to be"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

MOMENTS = ("random", "worst", "now")


def upgrade() -> None:
    """The chain of evidence has been in the order in which drills ended."""
    with op.batch_alter_table("canary") as canary:
        canary.add_column(sa.Column("boot", sa.String()))
        canary.add_column(sa.Column("seconds", sa.Float()))
        canary.add_column(sa.Column("host_offset_seconds", sa.Float()))
    with op.batch_alter_table("drill") as drill:
        drill.add_column(sa.Column("meant", sa.String(length=20)))
        drill.add_column(sa.Column("disaster_at", sa.DateTime(timezone=True)))
        drill.add_column(sa.Column("witnesses", sa.JSON(), nullable=False, server_default="[]"))
        drill.add_column(sa.Column("evidence_number", sa.Integer()))
        drill.create_unique_constraint(drill.f("uq_drill_evidence_number"), ["evidence_number"])
        drill.create_check_constraint(drill.f("ck_drill_meant"), sa.column("meant").in_(MOMENTS))
    op.execute(
        "UPDATE drill SET evidence_number = (SELECT count(*) FROM drill other WHERE other.evidence_digest IS NOT NULL"
        " AND (other.finished_at < drill.finished_at"
        " OR (other.finished_at = drill.finished_at AND other.id <= drill.id)))"
        " WHERE evidence_digest IS NOT NULL"
    )
