"""Creating an installation, and checking that it is complete: its state directory, database and keys."""

import uuid
from typing import TYPE_CHECKING

from orchestrator.domain.installation import Parts, refuse_to_make_anew, require_whole
from orchestrator.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa


def initialise(settings: Settings) -> list[str]:
    """Create what an installation needs, unless it was lost. Returns what was done, in sentences."""
    from orchestrator.adapters import state_directory
    from orchestrator.adapters.database.connection import connect
    from orchestrator.adapters.keys.evidence_signing import make_signing_key
    from orchestrator.adapters.keys.secret_box import make_key

    state_directory.make_private(settings.home)
    tightened = state_directory.tighten(settings.home)
    database = connect(settings.database_url, create=True)
    try:
        refuse_to_make_anew(examine(settings, database))
        made_key, made_signing_key = make_key(settings.key_file), make_signing_key(settings.signing_key_file)
        state = _migrate(database)
        installation = tie(settings, database)
    finally:
        database.dispose()
    key = "created, mode 0600; back it up separately from the database" if made_key else "kept"
    signing = "created, mode 0600; back it up" if made_signing_key else "kept"
    return [
        *(f"{path}: others had access; now only its owner has" for path in tightened),
        f"encryption key {settings.key_file}: {key}",
        f"key that signs evidence {settings.signing_key_file}: {signing}",
        f"database: {state}",
        f"installation {installation}: state directory, database and keys belong together",
    ]


def upgrade(settings: Settings) -> list[str]:
    """Upgrade the existing database to the schema of this version. Returns what was done, in sentences."""
    from orchestrator.adapters.database.connection import connect

    database = connect(settings.database_url)
    try:
        parts = examine(settings, database)
        if not parts.tables:
            require_whole(parts)
        refuse_to_make_anew(parts)
        state = _migrate(database)
        tie(settings, database)
    finally:
        database.dispose()
    return [f"database: {state}"]


def require_installation(settings: Settings, database: "sa.Engine") -> None:
    """Raise if a part of the installation is missing or of another version. Quick: opens nothing sealed."""
    from orchestrator.adapters.database.migrating import require_current

    revision = _revision(database)
    if revision is not None:
        require_current(revision)
    require_whole(look(settings, database, revision))


def examine(settings: Settings, database: "sa.Engine") -> Parts:
    """The parts of the installation that exist. The key is tried on what it must open."""
    from orchestrator.adapters.database.marking import any_secret, read_mark
    from orchestrator.adapters.database.migrating import HEAD
    from orchestrator.adapters.keys.secret_box import opens

    revision = _revision(database)
    parts = look(settings, database, revision)
    if revision is None:
        return parts
    mark = read_mark(database) if revision == HEAD else None
    sealed = mark.sealed if mark else any_secret(database)
    fits = not parts.key or sealed is None or opens(settings.key_file, sealed)
    return parts.model_copy(update={"sealed": sealed is not None, "fits": fits})


def look(settings: Settings, database: "sa.Engine", revision: str | None) -> Parts:
    """The same without trying the key, which is assumed to fit."""
    from orchestrator.adapters import state_directory
    from orchestrator.adapters.database.marking import read_mark
    from orchestrator.adapters.database.migrating import HEAD

    mark = read_mark(database) if revision == HEAD else None
    return Parts(
        home=state_directory.read_mark(settings.home),
        tables=revision is not None,
        database=mark.installation if mark else None,
        key=settings.key_file.is_file(),
        fits=True,
        sealed=False,
        signing_key=settings.signing_key_file.is_file(),
    )


def _revision(database: "sa.Engine") -> str | None:
    from orchestrator.adapters.database.connection import is_there
    from orchestrator.adapters.database.migrating import current_revision, refuse_newer

    revision = current_revision(database) if is_there(database) else None
    refuse_newer(revision)
    return revision


def _migrate(database: "sa.Engine") -> str:
    from orchestrator.adapters.database.migrating import upgrade as migrate
    from orchestrator.adapters.engine import queueing

    before, after = migrate(database)
    queueing.migrate(queueing.url_for(database))
    state = "created" if before is None else "kept" if before == after else f"upgraded from {before}"
    return f"{state}, schema {after}"


def tie(settings: Settings, database: "sa.Engine") -> str:
    """Mark the database and then the state directory; return the installation they belong to."""
    from orchestrator.adapters import state_directory
    from orchestrator.adapters.database.marking import mark
    from orchestrator.adapters.keys.secret_box import SecretBox

    proposed = str(uuid.uuid4())
    installation = mark(database, proposed, SecretBox(settings.key_file).seal(proposed))
    state_directory.write_mark(settings.home, installation)
    return installation
