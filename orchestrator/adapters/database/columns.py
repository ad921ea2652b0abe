"""The kinds of columns that the databases themselves do not have, or have each in a way of its own."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa


class Instant(sa.types.TypeDecorator[datetime]):
    """A point in time, stored and returned in UTC on every database."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


Json = sa.JSON()
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def one_of(states: type[StrEnum], name: str) -> Any:
    """The enumeration's values as text, with a check constraint (SQLAlchemy would store the names)."""
    return sa.Enum(states, values_callable=lambda e: [m.value for m in e], native_enum=False, create_constraint=True,
                   name=name, length=20)  # fmt: skip
