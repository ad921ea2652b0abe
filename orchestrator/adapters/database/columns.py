"""Column types that databases lack or implement differently, and names of constraints."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

metadata = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(SQLModel):
    """The base class of rows. The domain validates their values, so validators here are built on demand, which is
    never."""

    model_config = {"defer_build": True}


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant, stored and returned in UTC on every database."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


Json = sa.JSON()
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


WHERE = "where"


def one_each(name: str, *columns: str, where: str) -> sa.Index:
    """A unique index over some of the rows. Migrations name the dialect: SQLAlchemy would load every dialect named here
    at the start of each command."""
    return sa.Index(name, *columns, unique=True, info={WHERE: where})


def one_of(states: type[StrEnum], name: str) -> Any:
    """The enumeration's values as text, with a check constraint (SQLAlchemy would store the names)."""
    return sa.Enum(states, values_callable=lambda e: [m.value for m in e], native_enum=False, create_constraint=True,
                   name=name, length=20)  # fmt: skip
