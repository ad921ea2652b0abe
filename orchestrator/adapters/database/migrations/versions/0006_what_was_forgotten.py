"""What counters had counted of runs that are forgotten"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forgotten",
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("labels", sa.String(), nullable=False),
        sa.Column("at_most", sa.JSON(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("total_seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("family", "labels", name=op.f("pk_forgotten")),
    )
