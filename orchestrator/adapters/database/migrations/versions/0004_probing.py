"""Probing: transitions, what is in force, and who probes"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _state() -> sa.Enum:
    return sa.Enum("up", "down", "unknown", name="state", native_enum=False, create_constraint=True, length=20)


def upgrade() -> None:
    op.create_table(
        "transition",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("probe", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", _state(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transition")),
        sa.UniqueConstraint("agency", "component", "probe", "at", name=op.f("uq_transition_agency_component_probe_at")),
    )
    op.create_table(
        "standing",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("probe", sa.String(), nullable=False),
        sa.Column("state", _state(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("every", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("agency", "component", "probe", name=op.f("pk_standing")),
    )
    prober = op.create_table(
        "prober",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("beat", sa.Double(), nullable=False),
        sa.Column("read_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prober")),
    )
    op.bulk_insert(prober, [{"id": 1, "holder": None, "beat": 0.0, "read_until": None}])
