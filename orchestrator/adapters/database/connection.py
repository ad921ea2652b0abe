"""Engines for SQLite (WAL) and PostgreSQL, and the translation of their errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from orchestrator.domain.errors import Kind, OrchestratorError

BUSY_MILLISECONDS = 15_000
"""How long a writer waits for another before it gives up."""

IDLE_MILLISECONDS = 3_000
"""After this silence in the middle of a transaction (a suspended machine, a network partition), PostgreSQL ends a
writer's session, so that others wait no longer for it. It is below the time after which a worker fences itself."""

_GIVE_UP = {"connect_timeout": "5", "tcp_user_timeout": "5000", "keepalives_idle": "5", "keepalives_interval": "2"}
"""libpq's timeouts for a server that does not answer; the URL may override them."""

_TURN = 0x0511AB1E
"""The advisory lock that serializes writers on PostgreSQL."""


def connect(url: str, *, busy_milliseconds: int = BUSY_MILLISECONDS, create: bool = False) -> sa.Engine:
    """An engine for `sqlite:///...` or `postgresql://...`. Transactions on SQLite take the write lock at once.

    A missing SQLite file is an error, unless `create`.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed, busy_milliseconds=busy_milliseconds)
    if parsed.get_backend_name() != "sqlite":
        raise OrchestratorError(
            Kind.INVALID, f"unknown database {parsed.get_backend_name()!r}: use sqlite or postgresql"
        )
    return _sqlite(parsed, busy_milliseconds=busy_milliseconds, create=create)


def _postgresql(url: sa.URL, *, busy_milliseconds: int) -> sa.Engine:
    patience = {name: value for name, value in _GIVE_UP.items() if name not in url.query}
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg").update_query_dict(patience), pool_pre_ping=True)

    @sa.event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_MILLISECONDS}")
        connection.execute(f"SET lock_timeout = {busy_milliseconds}")
        connection.commit()

    return engine


def take_turn(connection: sa.Connection) -> None:
    """Wait until every earlier writer has committed; later ones wait for us.

    On SQLite, the write lock does this. On PostgreSQL, this makes plans, admission and step records just as safe, and
    the ids of events, which come from a sequence, grow in commit order.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))


def is_there(engine: sa.Engine) -> bool:
    """Whether there is a database: on SQLite, whether the file exists. A server is assumed to have one."""
    return engine.dialect.name != "sqlite" or Path(str(engine.url.database)).is_file()


class _File:
    """An SQLite file, which must stay the one that was opened: what is written to a removed file is lost."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path, self._mode = path, "rwc" if create else "rw"
        self._opened: tuple[int, int] | None = None

    def open(self, timeout: float) -> sqlite3.Connection:
        self.require_same()
        address = f"file:{quote(str(self._path))}?mode={self._mode}"
        made = sqlite3.connect(address, uri=True, timeout=timeout, check_same_thread=False)
        self._opened = self._opened or self._identity()
        return made

    def require_same(self) -> None:
        if self._opened and self._identity() != self._opened:
            raise OrchestratorError(
                Kind.UNAVAILABLE,
                f"the database {self._path} was removed or replaced while it was in use",
                hint="stop what uses it, restore it from its backup, and start again",
            )

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def _sqlite(url: sa.URL, *, busy_milliseconds: int, create: bool) -> sa.Engine:
    file, seconds = _File(Path(str(url.database)), create=create), busy_milliseconds / 1000
    engine = sa.create_engine(url, creator=lambda: file.open(seconds))

    @sa.event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        patience = stop_after_delay(busy_milliseconds / 1000)
        # SQLite does not wait when another connection is switching the file to write-ahead logging.
        for attempt in Retrying(stop=patience, wait=wait_fixed(0.05), retry=retry_if_exception(_locked), reraise=True):
            with attempt:
                connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _write_lock(connection: sa.Connection) -> None:
        file.require_same()
        reading = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


@contextmanager
def translated() -> Iterator[None]:
    """Turn database failures into errors that users can act on."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise OrchestratorError(Kind.UNAVAILABLE, "every connection to the database is in use") from error
    except sa.exc.DBAPIError as error:
        if failure := _failure(error):
            raise failure from error
        raise


def _failure(error: sa.exc.DBAPIError) -> OrchestratorError | None:
    """The user's error for a database error; None if it is our own bug."""
    reason = " ".join(str(error.orig).split()) or type(error.orig).__name__
    if any(sign in reason for sign in ("file is not a database", "malformed")):
        return OrchestratorError(Kind.UNAVAILABLE, "the database file is damaged or is not a database")
    if isinstance(error, sa.exc.OperationalError) or error.connection_invalidated:
        waiting = "locked" in reason or "lock timeout" in reason
        hint = "another command holds it; try again shortly" if waiting else "is it running, and reachable?"
        return OrchestratorError(Kind.UNAVAILABLE, f"the database did not answer: {reason}", hint=hint)
    return None
