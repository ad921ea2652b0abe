"""Checks that a database is reliable: intact and durable."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from orchestrator.adapters.database.connection import translated
from orchestrator.domain.errors import Kind, OrchestratorError

CLOCK_TOLERANCE = timedelta(seconds=5)
"""Leases use only the database's clock, but people compare its times with others."""


def require_sound(engine: sa.Engine) -> str:
    """Make the checks that are quick, and describe the result. Raises UNAVAILABLE if the database is not sound."""
    with translated(), engine.execution_options(read_only=True).connect() as connection:
        return _sqlite(connection) if engine.dialect.name == "sqlite" else _postgresql(connection)


def _sqlite(connection: sa.Connection) -> str:
    said: Sequence[str] = connection.exec_driver_sql("PRAGMA quick_check(3)").scalars().all()
    if said != ["ok"]:
        raise OrchestratorError(
            Kind.UNAVAILABLE, "the database file is damaged", details=tuple(map(str, said)), hint="restore a backup"
        )
    return "SQLite; its file is intact"


def _postgresql(connection: sa.Connection) -> str:
    off = [
        name
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if connection.execute(sa.text("select current_setting(:name)"), {"name": name}).scalar_one() == "off"
    ]
    if off:
        raise OrchestratorError(
            Kind.UNAVAILABLE,
            f"PostgreSQL may lose committed data: {', '.join(off)} {'is' if len(off) == 1 else 'are'} off",
            hint="turn it on in postgresql.conf: the record of a finished step must survive a crash of the server",
        )
    ours = datetime.now(UTC)
    offset: timedelta = connection.execute(sa.text("select clock_timestamp()")).scalar_one() - ours
    if abs(offset) > CLOCK_TOLERANCE:
        raise OrchestratorError(
            Kind.UNAVAILABLE,
            f"the database's clock is {offset.total_seconds():+.0f} s off ours",
            hint="synchronize both with NTP",
        )
    return f"PostgreSQL {connection.execute(sa.text('show server_version')).scalar_one()}, durable"
