"""An installation: a state directory, a database and keys that belong together.

Only `init` creates one, and marks each part. A part that is missing later must be restored, and is never recreated: a
new database would hand out blocks that agencies hold, and a new key would open none of the stored secrets.
"""

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.value import Value


class Parts(Value):
    """The parts of an installation that were found. Ids are those of installations."""

    home: str | None
    """The id in the state directory, or None."""
    tables: bool
    """Whether the database has our tables. Otherwise it is missing or empty."""
    database: str | None
    """The id in the database."""
    key: bool
    """Whether the key that seals secrets exists."""
    fits: bool
    """Whether that key opens what is sealed in the database. True if nothing is sealed."""
    sealed: bool
    """Whether anything is sealed in the database."""
    signing_key: bool
    """Whether the key that signs evidence exists."""


def require_whole(parts: Parts) -> None:
    """Refuse an installation that lacks a part, or has a part of another one."""
    if not parts.tables and parts.home is None:
        raise OrchestratorError(Kind.NOT_FOUND, "there is no installation here", hint="run: orchestrator init")
    refuse_to_make_anew(parts)
    if parts.home is None or parts.database is None:
        raise OrchestratorError(
            Kind.NOT_FOUND,
            "the state directory and the database do not belong to each other yet",
            hint="run: orchestrator init",
        )


def refuse_to_make_anew(parts: Parts) -> None:
    """Raise when `init` would recreate what must be restored, or combine parts that do not belong together."""
    if parts.home is not None and not parts.tables:
        raise OrchestratorError(
            Kind.UNAVAILABLE,
            f"the database of installation {parts.home} is missing or empty",
            hint="restore it from its backup; to start over, move the state directory away and run: orchestrator init",
        )
    if not parts.key and (parts.sealed or parts.database is not None):
        raise _lost("the key that opens the secrets in the database is missing", "secret.key")
    if not parts.fits:
        raise _lost("the key does not open the secrets in the database", "secret.key")
    if not parts.signing_key and parts.database is not None:
        raise _lost("the key that signs evidence is missing", "evidence.key")
    if parts.home is not None and parts.home != parts.database:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"the state directory belongs to installation {parts.home}, the database to {parts.database or 'none'}",
            hint="restore both from the same time, or correct ORCHESTRATOR_HOME and ORCHESTRATOR_DATABASE__URL",
        )


def _lost(message: str, file: str) -> OrchestratorError:
    hint = f"restore {file} in the state directory from its backup; nothing was changed"
    return OrchestratorError(Kind.UNAVAILABLE, message, hint=hint)
