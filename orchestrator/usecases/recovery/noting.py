"""Recording the requests to a recovery host, without passwords, so that evidence can say what was carried out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestrator.domain.estate.site import Site
from orchestrator.ports.drilling import RecoveryHost, RecoveryHosts, User

SECRET = "password"  # noqa: S105 - the name of a field
UNTOLD = ("renew",)
"""Operations that are not recorded: they are repeated while a phase lasts, and no part of its work."""


@dataclass(frozen=True)
class NotedHosts:
    """Recovery hosts, and every operation requested of them, in order."""

    hosts: RecoveryHosts
    commands: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def connect(self, site: Site, host: str) -> Iterator[RecoveryHost]:
        with self.hosts.connect(site, host) as connected:
            yield _NotedHost(connected, self.commands)


@dataclass(frozen=True)
class _NotedHost:
    host: RecoveryHost
    commands: list[dict[str, Any]]

    def operate(
        self,
        operation: str,
        document: Mapping[str, Any],
        *,
        within: timedelta,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        if operation not in UNTOLD:
            told = {key: value for key, value in document.items() if key != SECRET}
            self.commands.append({"operation": operation, "document": told})
        return self.host.operate(operation, document, within=within, cancelled=cancelled)

    def user(self, component: str, introduction: Mapping[str, Any]) -> AbstractContextManager[User]:
        return self.host.user(component, introduction)

    def read(self, file: str) -> str:
        return self.host.read(file)
