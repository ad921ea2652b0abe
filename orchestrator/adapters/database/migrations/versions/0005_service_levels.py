"""Periods of service, declarations, incidents and closed months"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IN_SERVICE = ("in_service", "updating", "failed", "retiring")


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _agency(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["agency"], ["agency.id"], name=op.f(f"fk_{table}_agency_agency"))


def upgrade() -> None:
    _service_periods()
    op.create_table(
        "declaration",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "maintenance", "exclusion", "outage", name="kind", native_enum=False, create_constraint=True, length=20
            ),
            nullable=False,
        ),
        sa.Column("starts_at", _instant(), nullable=False),
        sa.Column("ends_at", _instant(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("what", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declaration")),
        _agency("declaration"),
    )
    op.create_index("ix_declaration_agency_starts_at", "declaration", ["agency", "starts_at"])
    op.create_table(
        "incident",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("reported_at", _instant(), nullable=False),
        sa.Column("fixed_at", _instant(), nullable=True),
        sa.Column("what", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("agency", "number", name=op.f("pk_incident")),
        _agency("incident"),
    )
    op.create_index("ix_incident_agency_fixed_at", "incident", ["agency", "fixed_at"])
    op.create_table(
        "closed_month",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("statement", sa.JSON(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("agency", "month", "version", name=op.f("pk_closed_month")),
        _agency("closed_month"),
    )


def _service_periods() -> None:
    """What is in service now has been since its last change, as far as anybody wrote down."""
    op.create_table(
        "service_period",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("began_at", _instant(), nullable=False),
        sa.Column("ended_at", _instant(), nullable=True),
        sa.PrimaryKeyConstraint("agency", "component", "began_at", name=op.f("pk_service_period")),
        _agency("service_period"),
    )
    going_on = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_service_period_open", "service_period", ["agency", "component"], unique=True,
        sqlite_where=going_on, postgresql_where=going_on,
    )  # fmt: skip
    instance = sa.table("service_instance", *map(sa.column, ("agency", "component", "changed_at", "state")))
    period = sa.table("service_period", *map(sa.column, ("agency", "component", "began_at")))
    served = sa.select(instance.c.agency, instance.c.component, instance.c.changed_at)
    served = served.where(instance.c.state.in_(IN_SERVICE))
    op.execute(sa.insert(period).from_select(["agency", "component", "began_at"], served))
