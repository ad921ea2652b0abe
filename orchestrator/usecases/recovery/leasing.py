"""Leasing: a drill stays on the recovery host for as long as somebody works on it.

The host removes a drill when its lease expires. So a host that does not answer is asked again for the length of a lease
and no longer: after that, nothing is left to continue with.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.domain.recovery.recovery_time import StopwatchReading
from orchestrator.ports.drilling import DrillGoneError, RecoveryHost, RecoveryHosts, Stopwatch

DRILL_LEASE = timedelta(minutes=2)
"""After this long without a renewal, the recovery host removes the drill."""

RENEWED = DRILL_LEASE / 8
SHORT = timedelta(seconds=30)
AGAIN = timedelta(seconds=2)
CANCELLED = "cancelled on request"


@dataclass
class HostReach:
    """The connection to one recovery host, and how many seconds were spent waiting for it. Waiting ends once
    `cancelled`."""

    hosts: RecoveryHosts
    site: Site
    host: str
    stopwatch: Stopwatch
    pause: Callable[[float], None]
    cancelled: Callable[[], bool]
    waited_seconds: float = 0.0

    @contextmanager
    def once(self) -> Iterator[RecoveryHost]:
        """A connection. Raises UNAVAILABLE."""
        with self.hosts.connect(self.site, self.host) as connected:
            yield connected

    @contextmanager
    def patiently(self) -> Iterator[RecoveryHost]:
        """A connection. A host that does not answer is tried again until a lease would have expired."""
        began = self.stopwatch.read()
        with ExitStack() as stack:
            connected = self._connected(stack, began)
            self.waited_seconds += self.stopwatch.read().since(began) or 0.0
            yield connected

    def is_away(self, since: StopwatchReading) -> bool:
        """Whether the host has been silent for longer than it keeps anything."""
        took = self.stopwatch.read().since(since)
        return took is None or took > DRILL_LEASE.total_seconds()

    def _connected(self, stack: ExitStack, began: StopwatchReading) -> RecoveryHost:
        while True:
            try:
                return stack.enter_context(self.once())
            except OrchestratorError as error:
                if error.kind is not Kind.UNAVAILABLE or self.is_away(began):
                    raise
                if self.cancelled():
                    raise OrchestratorError(Kind.CONFLICT, CANCELLED) from error
                self.pause(AGAIN.total_seconds())


@dataclass
class Lease:
    """The lease of one drill on its recovery host. Once it is gone, `lost` says why. A lease that is not `begun` yet is
    given time to begin."""

    reach: HostReach
    drill: int
    renewed: StopwatchReading
    begun: bool = True
    lost: OrchestratorError | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    def renew(self, host: RecoveryHost) -> None:
        """Raises DrillGoneError if the host no longer has the drill, UNAVAILABLE if it does not answer."""
        began = self.reach.stopwatch.read()
        try:
            host.operate("renew", {"drill": self.drill, **lease()}, within=SHORT)
        except OrchestratorError as error:
            if error.kind is Kind.UNAVAILABLE:
                raise
            raise DrillGoneError(error.message) from error  # whatever the reason, it cannot be kept
        self.renewed, self.begun = began, True

    def confirm(self) -> None:
        """Check that the drill still exists. A host that does not answer may be back in a moment. Raises DrillGoneError
        if the drill is gone, UNAVAILABLE if the host has been away for too long."""
        try:
            with self.reach.once() as host:
                self.renew(host)
        except OrchestratorError as error:
            if isinstance(error, DrillGoneError) and self.begun:
                raise
            if self.reach.is_away(self.renewed):
                raise self._away(error) from error

    @contextmanager
    def kept(self) -> Iterator["Lease"]:
        """The lease, renewed over its own connection while the context lasts. A failure inside because the drill is
        gone is raised as such."""
        keeper = threading.Thread(target=self._keep, name="drill-lease", daemon=True)
        keeper.start()
        try:
            yield self
        except OrchestratorError:
            if self.lost:
                raise self.lost from None
            raise
        finally:
            self._done.set()
            keeper.join()
        if self.lost:
            raise self.lost

    def _keep(self) -> None:
        rest = RENEWED
        while not self._done.wait(rest.total_seconds()):
            before = self.renewed
            try:
                self.confirm()
                rest = AGAIN if self.renewed is before else RENEWED
            except OrchestratorError as error:
                self.lost = error
                return

    def _away(self, error: OrchestratorError) -> OrchestratorError:
        seconds = f"{DRILL_LEASE.total_seconds():.0f} s"
        silent = f"{self.reach.host} has not answered for {seconds}, and keeps drills no longer than that"
        return OrchestratorError(Kind.UNAVAILABLE, silent, details=(error.message,))


def lease() -> dict[str, float]:
    """The length of a lease, as the recovery host is told."""
    return {"lease_seconds": DRILL_LEASE.total_seconds()}
