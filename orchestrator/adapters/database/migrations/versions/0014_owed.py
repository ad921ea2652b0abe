"""What agencies that left owe under their framework"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of those that left before, nothing: what they held was given to others."""
    op.add_column("agency", sa.Column("owed_pence", sa.BigInteger(), nullable=False, server_default="0"))
