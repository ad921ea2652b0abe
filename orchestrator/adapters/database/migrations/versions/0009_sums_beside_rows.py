"""Sums kept beside rows: what is committed under each framework, and which blocks were given back to their pools"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "commitment",
        sa.Column("framework", sa.String(), nullable=False),
        sa.Column("pence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("framework", name=op.f("pk_commitment")),
    )
    op.create_table(
        "freed_position",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("site", "pool", "position", name=op.f("pk_freed_position")),
    )
    _count_commitments()
    _find_freed()


def _count_commitments() -> None:
    agency = sa.table("agency", *map(sa.column, ("framework", "committed_pence", "offboarded_at")))
    commitment = sa.table("commitment", *map(sa.column, ("framework", "pence")))
    sums = sa.select(agency.c.framework, sa.func.sum(agency.c.committed_pence))
    sums = sums.where(agency.c.offboarded_at.is_(None)).group_by(agency.c.framework)
    op.execute(sa.insert(commitment).from_select(["framework", "pence"], sums))


def _find_freed() -> None:
    """Below the highest position of each pool, what nobody holds."""
    allocation = sa.table("allocation", *map(sa.column, ("site", "pool", "position")))
    freed = sa.table("freed_position", *map(sa.column, ("site", "pool", "position")))
    held: dict[tuple[Any, Any], set[Any]] = {}
    for site, pool, position in op.get_bind().execute(sa.select(allocation).where(allocation.c.position.is_not(None))):
        held.setdefault((site, pool), set()).add(position)
    rows = [
        {"site": site, "pool": pool, "position": position}
        for (site, pool), positions in held.items()
        for position in sorted(set(range(max(positions))) - positions)
    ]
    if rows:
        op.bulk_insert(freed, rows)
