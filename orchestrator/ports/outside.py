"""Protocols for the clock and the access to hosts."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from orchestrator.domain.estate.site import Site


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, in UTC."""
        ...


@dataclass(frozen=True)
class SiteAccess:
    """The access to the hosts of a site: our key, and the expected host keys."""

    key: Path
    known_hosts: Path


class HostSession(Protocol):
    """A connected host."""

    def as_root(self, program: str, arguments: Sequence[str]) -> str:
        """Run a Python program as root and return its output. Raises FAILED with its message if its status is not 0."""
        ...


class Hosts(Protocol):
    def connect(self, site: Site, host: str) -> AbstractContextManager[HostSession]:
        """A connection to a host of the site. Raises UNAVAILABLE, also if the host does not accept our key."""
        ...
