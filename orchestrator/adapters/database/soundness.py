"""Whether a database can be relied on: it is whole, and keeps what it said it has kept."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from orchestrator.adapters.database.connection import translated
from orchestrator.domain.errors import Kind, OrchestratorError

CLOCK_TOLERANCE = timedelta(seconds=5)
"""Leases go by the database's clock alone; people compare its times with others."""


def require_sound(engine: sa.Engine) -> str:
    """Look at all of it that is quick to look at; say what was seen. Raises UNAVAILABLE for what is not sound."""
    with translated(), engine.execution_options(read_only=True).connect() as connection:
        return _sqlite(connection) if engine.dialect.name == "sqlite" else _postgresql(connection)


def _sqlite(connection: sa.Connection) -> str:
    said: Sequence[str] = connection.exec_driver_sql("PRAGMA quick_check(3)").scalars().all()
    if said != ["ok"]:
        raise OrchestratorError(
            Kind.UNAVAILABLE, "the database file is damaged", details=tuple(map(str, said)), hint="restore a backup"
        )
    return "SQLite, and its file is whole"


def _postgresql(connection: sa.Connection) -> str:
    off = [
        name
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if connection.execute(sa.text("select current_setting(:name)"), {"name": name}).scalar_one() == "off"
    ]
    if off:
        raise OrchestratorError(
            Kind.UNAVAILABLE,
            f"PostgreSQL may lose what it says is kept: {', '.join(off)} {'is' if len(off) == 1 else 'are'} off",
            hint="turn it on in postgresql.conf: what a finished step recorded must survive the server",
        )
    ours = datetime.now(UTC)
    offset: timedelta = connection.execute(sa.text("select clock_timestamp()")).scalar_one() - ours
    if abs(offset) > CLOCK_TOLERANCE:
        raise OrchestratorError(
            Kind.UNAVAILABLE,
            f"the database's clock is {offset.total_seconds():+.0f} s off ours",
            hint="set both by NTP",
        )
    return f"PostgreSQL {connection.execute(sa.text('show server_version')).scalar_one()}, which loses nothing"
