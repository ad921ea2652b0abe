"""Meters kept beside what they were read from, and numbers of the changes of declarations"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SECONDS = (
    "life_due", "life_eligible", "life_bad", "life_unmeasured",
    "month_due", "month_eligible", "month_bad", "month_unmeasured",
)  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table("declaration") as batch:
        batch.add_column(sa.Column("change", sa.BigInteger(), nullable=True))
    op.execute("update declaration set change = id")
    with op.batch_alter_table("declaration") as batch:
        batch.alter_column("change", existing_type=sa.BigInteger(), nullable=False)
        batch.create_index(batch.f("ix_declaration_change"), ["change"])
    op.create_table(
        "meter",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("holds_to", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SECONDS),
        sa.PrimaryKeyConstraint("agency", "component", name=op.f("pk_meter")),
    )
