"""Engines for SQLite (WAL) and PostgreSQL, and what their failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.domain.errors import Kind, OrchestratorError

BUSY_MILLISECONDS = 15_000
"""How long a writer waits for another on SQLite before it gives up."""


def connect(url: str, *, busy_milliseconds: int = BUSY_MILLISECONDS) -> sa.Engine:
    """An engine for `sqlite:///...` or `postgresql://...`. Transactions on SQLite take the write lock at once."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if parsed.get_backend_name() != "sqlite":
        raise OrchestratorError(
            Kind.INVALID, f"unknown database {parsed.get_backend_name()!r}: use sqlite or postgresql"
        )
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": busy_milliseconds / 1000})

    @sa.event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _write_lock(connection: sa.Connection) -> None:
        reading = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Database failures as errors people can act on."""
    try:
        yield
    except sa.exc.OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        hint = "another command holds it; try again shortly" if "locked" in reason else "is it running, and reachable?"
        raise OrchestratorError(Kind.UNAVAILABLE, f"the database did not answer: {reason}", hint=hint) from error
    except sa.exc.DatabaseError as error:
        if any(sign in str(error.orig) for sign in ("file is not a database", "malformed")):
            raise OrchestratorError(Kind.UNAVAILABLE, "the database file is damaged or is not a database") from error
        raise
