"""What agencies are charged by, from which day on"""

import json
from decimal import Decimal

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until now the last order was charged for the whole of its term."""
    op.add_column("agency", sa.Column("rates", sa.JSON(), nullable=False, server_default="[]"))
    agency = sa.table("agency", sa.column("id"), sa.column("call_off", sa.JSON()), sa.column("committed_pence"),
                      sa.column("rates", sa.JSON()))  # fmt: skip
    database = op.get_bind()
    for row in database.execute(sa.select(agency)).all():
        call_off = row.call_off if isinstance(row.call_off, dict) else json.loads(row.call_off)
        term = call_off["term"]
        per_year = Decimal(row.committed_pence) * 12 / (100 * term["months"])
        rate = {"since": term["start"], "term": term, "per_year": str(per_year)}
        database.execute(sa.update(agency).where(agency.c.id == row.id).values(rates=[rate]))
