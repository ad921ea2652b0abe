"""The mark of an installation in its database: its id, and the id sealed by its key."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from orchestrator.adapters.database.connection import translated
from orchestrator.adapters.database.tables import metadata

_INSTALLATION, _SECRET = metadata.tables["installation"], metadata.tables["secret"]


@dataclass(frozen=True)
class Mark:
    installation: str
    sealed: bytes


def read_mark(engine: sa.Engine) -> Mark | None:
    """Read the mark from a database with the current schema."""
    with translated(), engine.execution_options(read_only=True).connect() as connection:
        row = connection.execute(sa.select(_INSTALLATION)).first()
    return Mark(row.id, row.sealed_id) if row else None


def any_secret(engine: sa.Engine) -> bytes | None:
    """A sealed value that the right key opens, from a database with any version of the schema."""
    with translated(), engine.execution_options(read_only=True).connect() as connection:
        return connection.execute(sa.select(_SECRET.c.token).limit(1)).scalar_one_or_none()


def reseal_mark(engine: sa.Engine, reseal: Callable[[bytes], bytes | None]) -> None:
    """Seal the mark with the newest key."""
    with translated(), engine.begin() as connection:
        sealed: bytes = connection.execute(sa.select(_INSTALLATION.c.sealed_id)).scalar_one()
        if fresh := reseal(sealed):
            connection.execute(sa.update(_INSTALLATION).values(sealed_id=fresh))


def mark(engine: sa.Engine, installation: str, sealed_id: bytes) -> str:
    """Mark the database unless it is marked. Returns the id of the installation it belongs to."""
    values = {"number": 1, "id": installation, "sealed_id": sealed_id}
    with translated(), engine.begin() as connection:
        found = connection.execute(sa.select(_INSTALLATION.c.id)).scalar_one_or_none()
        if found is None:
            connection.execute(sa.insert(_INSTALLATION), values)
        return found or installation
