"""The clock, and the way to hosts, as protocols."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from orchestrator.domain.estate.site import Site


class Clock(Protocol):
    def now(self) -> datetime:
        """This instant, in UTC."""
        ...


@dataclass(frozen=True)
class SiteAccess:
    """How the hosts of a site are reached: our key, and the host keys we expect."""

    key: Path
    known_hosts: Path


class HostSession(Protocol):
    """A connected host."""

    def as_root(self, program: str, arguments: Sequence[str]) -> str:
        """What a Python program prints that is run as root. Raises FAILED with what it said when it ends with another
        status than 0."""
        ...


class Hosts(Protocol):
    def connect(self, site: Site, host: str) -> AbstractContextManager[HostSession]:
        """One connection to a host of the site. Raises UNAVAILABLE, also when the host does not know our key."""
        ...
