"""Migrates a database to the current schema, and refuses to touch a newer one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.adapters.database.connection import take_turn, translated
from orchestrator.domain.errors import Kind, OrchestratorError

HEAD = "0022"
"""The newest revision in migrations/versions; a test checks it."""

_FOLDER = Path(__file__).parent / "migrations"


def current_revision(engine: sa.Engine) -> str | None:
    """The database's schema revision; None for an empty database."""
    with translated(), engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("select version_num from alembic_version")).scalar_one_or_none()


def require_current(revision: str) -> None:
    """Refuse to work with any other schema than HEAD."""
    if revision == HEAD:
        return
    refuse_newer(revision)
    raise OrchestratorError(
        Kind.CONFLICT,
        f"the database is at schema {revision}; this version works with {HEAD}",
        hint="stop all workers, back the database up, then run: orchestrator db upgrade",
    )


def refuse_newer(revision: str | None) -> None:
    if revision is not None and revision > HEAD:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"the database is at schema {revision}, newer than this version of the orchestrator ({HEAD})",
            hint="use the version that upgraded it, or restore a backup; nothing was changed",
        )


def upgrade(engine: sa.Engine) -> tuple[str | None, str]:
    """Migrate to HEAD. Returns the revisions before and after."""
    from alembic import command
    from alembic.config import Config

    before = current_revision(engine)
    refuse_newer(before)
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    with translated(), engine.connect() as connection, _rebuilding(connection), connection.begin():
        take_turn(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _require_whole(connection)
    return before, HEAD


@contextmanager
def _rebuilding(connection: sa.Connection) -> Iterator[None]:
    """SQLite alters a table by replacing it, and would refuse to drop one that others refer to
    (sqlite.org/lang_altertable.html, section 7). So foreign keys are off meanwhile, and checked at the end."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        yield
        return
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _require_whole(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        assert lost is None, f"a reference to a missing row: {lost}"
