"""Indexes that answer alone what every plan asks: what is committed already, and which reservations are old"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_agency_framework"), table_name="agency")
    op.create_index("ix_agency_commitment", "agency", ["framework", "offboarded_at", "id", "committed_pence"])
    op.create_index("ix_allocation_holding_at", "allocation", ["holding", "at"])
