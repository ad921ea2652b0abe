"""Protocols for what a drill needs from outside: the recovery host, a user of a service, a stopwatch."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    """The recovery host no longer has the drill: its lease expired, it was cleaned up, or the host was restarted."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.UNAVAILABLE, message)


class TooSlowError(OrchestratorError):
    """The recovery host answers, but the operation exceeds its time limit."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.UNAVAILABLE, message)


class User(Protocol):
    """Somebody who uses a service, over one kept connection."""

    def ask(self, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
        """Return the answer. Raises UNAVAILABLE if there is none in time."""
        ...


class RecoveryHost(Protocol):
    """A connected recovery host. For its requests and answers, see playbooks/README.md, section Drills."""

    def operate(
        self,
        operation: str,
        document: Mapping[str, Any],
        *,
        within: timedelta,
        cancelled: Callable[[], bool] = ...,
    ) -> dict[str, Any]:
        """Raises FAILED with what went wrong, UNAVAILABLE if it did not answer, CONFLICT if it was cancelled,
        DrillGoneError if it has no such drill, TooSlowError on a timeout."""
        ...

    def user(self, component: str, introduction: Mapping[str, Any]) -> AbstractContextManager[User]: ...
    def read(self, file: str) -> str:
        """Read a text file on the host. Raises FAILED if it cannot be read."""
        ...


class RecoveryHosts(Protocol):
    def connect(self, site: Site, host: str) -> AbstractContextManager[RecoveryHost]:
        """A kept connection to a host of the site. Raises UNAVAILABLE."""
        ...


@dataclass(frozen=True)
class Rehearsal(Work):
    """A phase of a drill. `assignment` has its secrets, and the playbook of the phase that is one.

    `user` is the introduction for a user of the service, and `trust` the file against which it verifies the service.
    `limit` is how long the service may take to come back; `targets` must not be reachable from the copy: {name, place,
    address, port}.
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
        """The host that is rehearsed, for a component on several hosts: the one to which its canaries are written."""
        return rehearsed_host(self.user)


@dataclass(frozen=True)
class Survey(Work):
    """Reading, from the recovery host, the canaries that a service has which was moved at `declared_at`. `user` is the
    introduction for a user of it; `trust` names a host, and the file on it against which the service is verified."""

    site: Site
    host: str
    agency: str
    component: str
    user: Mapping[str, Any]
    trust: tuple[str, str] | None
    declared_at: datetime


def rehearsed_host(user: Mapping[str, Any]) -> str:
    """The same, by the introduction for a user."""
    return str(next(iter(user["hosts"].values()))[0]["name"])
