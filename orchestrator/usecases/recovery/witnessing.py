"""Witnessing: writing canaries as users write, and keeping the ledger of what was acknowledged."""

import base64
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.estate.site import Site, hosts_in
from orchestrator.domain.ordering.protection import protected
from orchestrator.domain.recovery.canary import KEPT, Canary, next_canary
from orchestrator.domain.selling.catalog import KEEPER
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.drilling import RecoveryHost, RecoveryHosts, Stopwatch
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store
from orchestrator.usecases.finding import in_service
from orchestrator.usecases.runs.assigning import Assigning

log = logging.getLogger(__name__)

ANSWER = timedelta(seconds=15)


class Watch(Value):
    """A component whose recovery is witnessed, and the host that canaries are written from."""

    site: str
    host: str
    agency: str
    component: str


class Written(Value):
    """The result of one canary: its number, or why there is none. Both None: the component accepts no canaries."""

    watch: Watch
    number: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Witnessing:
    source: CatalogSource
    store: Store
    clock: Clock
    assigning: Assigning
    hosts: RecoveryHosts
    stopwatch: Stopwatch

    def write(self, agency: str | None = None) -> list[Written]:
        """Write one canary into every protected component, or into those of one agency. A failure is logged, and the
        next tick tries again."""
        with self.store.read() as tx:
            watches = [
                Watch(site=record.site, host=hosts_in(recorded[KEEPER].hosts)[0], agency=record.id, component=component)
                for record, recorded in in_service(tx, agency)
                for component in protected(recorded, self.source.catalog())
            ]
        written: list[Written] = []
        for (site, host), group in groupby(sorted(watches, key=_by_host), key=_by_host):
            written += self._write_from(site, host, list(group))
        for missing in (w for w in written if w.error):
            log.warning("no canary in %s of %s: %s", missing.watch.component, missing.watch.agency, missing.error)
        return written

    def _write_from(self, site: str, host: str, watches: list[Watch]) -> list[Written]:
        with ExitStack() as stack:
            try:
                connected = stack.enter_context(self.hosts.connect(self.source.site(site), host))
            except OrchestratorError as error:
                return [Written(watch=w, error=error.message) for w in watches]
            return [self._write_one(connected, watch) for watch in watches]

    def _write_one(self, host: RecoveryHost, watch: Watch) -> Written:
        with self.store.begin() as tx:
            instance = tx.instances.of(watch.agency)[watch.component]
            introduction = self.assigning.introduction(tx, instance)
        try:
            trust = self.source.catalog().components[watch.component].recovery.trusted(watch.agency, instance.hosts)
            introduction["authority"] = authority_of(self.hosts, self.source.site(watch.site), trust)
            with host.user(watch.component, introduction) as user:
                asked_at = self.clock.now()
                described = user.ask({"op": "describe"}, within=ANSWER)
                if described.get("canary") is False:
                    return Written(watch=watch)
                canary = self._next(watch, ahead=self._ahead(described.get("time"), asked_at))
                request = {"op": "write", "number": canary.number, "text": canary.text}
                answer = user.ask(request, within=ANSWER)
        except OrchestratorError as error:
            return Written(watch=watch, error=error.message)
        if not answer.get("ok"):
            return Written(watch=watch, error=str(answer.get("detail")))
        with self.store.begin() as tx:
            now = {"acknowledged_at": self.clock.now(), "reading": self.stopwatch.read()}
            acknowledged = canary.model_copy(update=now)
            tx.canaries.put(watch.agency, watch.component, acknowledged)
        return Written(watch=watch, number=canary.number)

    def _ahead(self, there: object, asked_at: datetime) -> float | None:
        """Seconds that the recovery host's clock is ahead of ours, assuming it was read half way between question and
        answer; None if its programs are too old to tell."""
        if not isinstance(there, int | float):
            return None
        return there - (asked_at.timestamp() + self.clock.now().timestamp()) / 2

    def _next(self, watch: Watch, *, ahead: float | None) -> Canary:
        """The next record. It enters the ledger before it is sent, so a record that is lost on the way keeps its
        number."""
        with self.store.begin() as tx:
            key = base64.b64decode(self.assigning.keeper_secrets(tx, watch.agency)["canary_key"])
            canary = next_canary(key, tx.canaries.last(watch.agency, watch.component), at=self.clock.now())
            noted = {"reading": self.stopwatch.read(), "host_offset_seconds": ahead}
            canary = canary.model_copy(update=noted)
            tx.canaries.put(watch.agency, watch.component, canary)
            tx.canaries.forget(watch.agency, watch.component, up_to=canary.number - KEPT)
            return canary


def authority_of(hosts: RecoveryHosts, site: Site, trust: tuple[str, str] | None) -> str | None:
    """Whom to trust for the live service: a file, read from a host of its own over ssh, which checks that host
    independently."""
    if trust is None:
        return None
    name, file = trust
    with hosts.connect(site, name) as host:
        return host.read(file)


def _by_host(watch: Watch) -> tuple[str, str]:
    return watch.site, watch.host
