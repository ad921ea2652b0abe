"""The exit code and HTTP status of each kind of failure, in one table."""

from dataclasses import dataclass

from orchestrator.domain.errors import Kind, OrchestratorError


@dataclass(frozen=True)
class Meaning:
    exit_code: int
    http_status: int


MEANING = {
    Kind.FAILED: Meaning(1, 502),
    Kind.INVALID: Meaning(2, 422),
    Kind.NOT_COVERED: Meaning(3, 403),
    Kind.NOT_FOUND: Meaning(4, 404),
    Kind.CONFLICT: Meaning(5, 409),
    Kind.UNAVAILABLE: Meaning(75, 503),
}

CHANGES_PENDING = 6
"""`plan --detailed-exitcode`: there are changes."""

WAITS_FOR_PEOPLE = 7
"""The run that was followed waits for people. It goes on when they have finished."""

OUR_BUG = 70
INTERRUPTED = 130


def sentences(error: OrchestratorError) -> list[str]:
    """The error in readable lines: what happened, the details, what to do."""
    hint = [f"What to do: {error.hint}"] if error.hint else []
    return [error.message, *(f"  {line}" for detail in error.details for line in detail.splitlines()), *hint]
