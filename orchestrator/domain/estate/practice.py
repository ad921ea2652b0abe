"""The practice site: an inventory's hosts, booted as real machines on one machine."""

from dataclasses import dataclass
from enum import StrEnum


class HostState(StrEnum):
    """The state of a practice host as seen from outside."""

    STOPPED = "stopped"
    """It has no processes."""
    STARTING = "starting"
    """It has processes, but its sshd does not answer with the pinned host key."""
    RUNNING = "running"
    """Its sshd answers with the pinned host key."""


@dataclass(frozen=True)
class PracticeHost:
    """One host of the inventory and its current state. `groups` and `snapshots` are sorted."""

    name: str
    address: str
    groups: tuple[str, ...]
    state: HostState
    snapshots: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnsteadyUnit:
    """A systemd unit of a practice host that failed, or that systemd has restarted `restarts` times."""

    host: str
    unit: str
    state: str
    restarts: int
