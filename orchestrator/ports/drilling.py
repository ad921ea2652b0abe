"""What a drill needs from the world, as protocols: the recovery host, somebody who uses a service, a stopwatch."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.domain.recovery.drills import Drill
from orchestrator.domain.recovery.phase_results import PhaseResults
from orchestrator.domain.recovery.recovery_time import StopwatchReading
from orchestrator.ports.runs import Assignment, Work


class Stopwatch(Protocol):
    def read(self) -> StopwatchReading: ...


class DrillGoneError(OrchestratorError):
    """The recovery host no longer has the drill: its lease ran out, it was cleaned up, or the host was restarted."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.UNAVAILABLE, message)


class TooSlowError(OrchestratorError):
    """The recovery host answers, and what it was asked takes longer than it may."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.UNAVAILABLE, message)


class User(Protocol):
    """Somebody who uses a service, over one kept connection."""

    def ask(self, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
        """The answer. Raises UNAVAILABLE when there is none in time."""
        ...


class RecoveryHost(Protocol):
    """A connected recovery host. What it is asked and answers: playbooks/README.md, section Drills."""

    def operate(
        self,
        operation: str,
        document: Mapping[str, Any],
        *,
        within: timedelta,
        cancelled: Callable[[], bool] = ...,
    ) -> dict[str, Any]:
        """Raises FAILED with what went wrong, UNAVAILABLE when it did not answer, CONFLICT when it was cancelled;
        DrillGoneError when it has no such drill, TooSlowError when time ran out."""
        ...

    def user(self, component: str, introduction: Mapping[str, Any]) -> AbstractContextManager[User]: ...
    def read(self, file: str) -> str:
        """A text file of the host. Raises FAILED when it cannot be read."""
        ...


class RecoveryHosts(Protocol):
    def connect(self, site: Site, host: str) -> AbstractContextManager[RecoveryHost]:
        """One connection, kept, to any host of the site. Raises UNAVAILABLE."""
        ...


@dataclass(frozen=True)
class Rehearsal(Work):
    """A phase of a drill. `assignment` has its secrets, and the playbook of the phase that is one.

    `user` is what a user of the service is told first, `trust` the file it checks the service against. `limit` is how
    long the service may take to come back, `targets` what must not be reached from the copy: {name, place, address,
    port}.
    """

    assignment: Assignment
    drill: Drill
    host: str
    earlier: PhaseResults
    user: Mapping[str, Any]
    trust: str | None
    limit: timedelta
    targets: tuple[Mapping[str, Any], ...]

    @property
    def rehearsed_host(self) -> str:
        """Of a component on many hosts the one that is rehearsed: that its canaries are written to."""
        return rehearsed_host(self.user)


def rehearsed_host(user: Mapping[str, Any]) -> str:
    """The same, by what a user is told first."""
    return str(next(iter(user["hosts"].values()))[0]["name"])
