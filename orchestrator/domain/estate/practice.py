"""The practice site: an inventory's hosts, booted for real on one machine."""

from dataclasses import dataclass
from enum import StrEnum


class HostState(StrEnum):
    """What can be seen of a practice host from outside."""

    STOPPED = "stopped"
    """No process of it exists."""
    STARTING = "starting"
    """It has processes, but its sshd does not answer with the pinned host key."""
    RUNNING = "running"
    """Its sshd answers with the pinned host key."""


@dataclass(frozen=True)
class PracticeHost:
    """One host of the inventory, as found at the moment of asking. `groups` and `snapshots` are sorted."""

    name: str
    address: str
    groups: tuple[str, ...]
    state: HostState
    snapshots: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnsteadyUnit:
    """A systemd unit of a practice host that failed, or that systemd has started again `restarts` times."""

    host: str
    unit: str
    state: str
    restarts: int
