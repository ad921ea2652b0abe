"""Anticipated failures. Anything else is a bug and may crash loudly."""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """Who must act, and whether a retry makes sense. Entrypoints map each kind to an exit code and an HTTP status."""

    FAILED = "failed"
    """It ran and did not work."""
    INVALID = "invalid"
    """The request is wrong; repeating it unchanged never helps."""
    NOT_COVERED = "not_covered"
    """The framework agreement, or the caller's role, does not allow it."""
    NOT_FOUND = "not_found"
    """No such thing exists."""
    CONFLICT = "conflict"
    """Not possible in this state: a stale plan, another open run, a full pool."""
    UNAVAILABLE = "unavailable"
    """A host, database or tool did not answer; a retry makes sense."""


class OrchestratorError(Exception):
    """An anticipated failure: what happened in one line, details, and what to do."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        details: tuple[str, ...] = (),
        hint: str | None = None,
        ids: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.details = details
        self.hint = hint
        self.ids = dict(ids or {})
