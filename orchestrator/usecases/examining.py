"""Examining the installation itself: what is in order, what is not, and what to do about it."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Host, Site, hosts_in
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.drilling import RecoveryHosts
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store

CLOCK_TOLERANCE = timedelta(seconds=3)
"""Hosts report their time to the second. Drills measure more precisely and judge for themselves."""
AT_ONCE = 16


class CheckState(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be checked because something that it depends on is missing."""


class Finding(Value):
    check: str
    standing: CheckState
    says: str
    details: tuple[str, ...] = ()
    hint: str | None = None


class CannotTellError(Exception):
    """The check has nothing to look at. The message says why."""


Examination = Callable[[], str]
"""Says what is in order. Raises an OrchestratorError for what is not, CannotTellError where that is unknown."""


def examine(checks: Mapping[str, Examination]) -> list[Finding]:
    """Carry out all checks, whatever each of them finds."""
    return [_finding(name, check) for name, check in checks.items()]


def _finding(name: str, check: Examination) -> Finding:
    try:
        return Finding(check=name, standing=CheckState.PASSED, says=check())
    except CannotTellError as error:
        return Finding(check=name, standing=CheckState.UNKNOWN, says=str(error))
    except OrchestratorError as error:
        failed = {"says": error.message, "details": error.details, "hint": error.hint}
        return Finding(check=name, standing=CheckState.FAILED, **failed)


def require_consistent(source: CatalogSource, *, hint: str | None = None) -> None:
    """Raise INVALID with every place where catalogue, playbooks and inventories do not match."""
    if problems := source.lint():
        message, details = f"the catalog has {len(problems)} problem(s)", tuple(map(str, problems))
        raise OrchestratorError(Kind.INVALID, message, details=details, hint=hint)


def examine_catalog(source: CatalogSource) -> str:
    """The check of catalogue, playbooks and inventories, which needs no records."""
    require_consistent(source, hint="fix the files, then check them with: orchestrator catalog lint")
    return f"{len(source.catalog().components)} components match their roles and sites"


@dataclass(frozen=True)
class Examining:
    """The checks that read the records and the hosts."""

    source: CatalogSource
    store: Store
    clock: Clock
    hosts: RecoveryHosts

    def sites(self) -> str:
        """Whether the hosts that serve agencies accept our key and agree with our clock."""
        asked = self._serving()
        if not asked:
            raise CannotTellError("no agency is in service, so no host was checked")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            said = list(pool.map(lambda one: self._ask(*one), asked))
        if wrong := tuple(problem for problem in said if problem):
            raise OrchestratorError(
                Kind.UNAVAILABLE,
                f"{len(wrong)} of {len(asked)} hosts are not in order",
                details=wrong,
                hint="bring them back, set their clocks by NTP, or pin the right host key in sites/SITE/known_hosts",
            )
        return f"all {len(asked)} hosts that serve agencies let us in and agree about the time"

    def _serving(self) -> list[tuple[Site, Host]]:
        with self.store.read() as tx:
            site_of = {agency.id: agency.site for agency in tx.agencies.all()}
            instances = [one for one in tx.instances.all() if one.state is not InstanceState.RETIRED]
        used = {(site_of[i.agency], host) for i in instances for hosts in i.hosts.values() for host in hosts}
        sites = {name: self.source.site(name) for name in {site for site, _ in used}}
        return [(sites[site], sites[site].hosts[host]) for site, host in sorted(used) if host in sites[site].hosts]

    def copies(self) -> str:
        """Whether no service has a copy that does not serve, and is out of date."""
        with self.store.read() as tx:
            site_of = {agency.id: agency.site for agency in tx.agencies.all()}
            left = [one for one in tx.instances.all() if one.elsewhere]
        copies = [(one, self.source.site(site_of[one.agency]).present(one.elsewhere)) for one in left]
        told = tuple(f"{one.component} of {one.agency}: {', '.join(hosts_in(on))}" for one, on in copies if on)
        if not told:
            return "no service has a copy that does not serve"
        raise OrchestratorError(
            Kind.CONFLICT,
            f"{len(told)} services have a copy that does not serve, and is out of date",
            details=told,
            hint="when these hosts are back: orchestrator recovery failback AGENCY COMPONENT",
        )

    def _ask(self, site: Site, host: Host) -> str | None:
        try:
            with self.hosts.connect(site, host.name) as connected:
                before = self.clock.now()
                there = _wall_clock(connected.read("/proc/stat"), connected.read("/proc/uptime"))
                after = self.clock.now()
        except OrchestratorError as error:
            return f"{site.name}: {error.message}"
        if before - CLOCK_TOLERANCE <= there <= after + CLOCK_TOLERANCE:
            return None
        return f"{site.name}: the clock of {host.name} is {(there - before).total_seconds():+.0f} s off ours"

    def schedules(self, intervals: Mapping[str, timedelta]) -> str:
        """Whether each schedule ticked when it was due. `intervals` maps its name to the time between ticks."""
        with self.store.read() as tx:
            last = {name: at for name in intervals if (at := tx.ticks.last(name))}
        now = self.clock.now()
        if not last:
            raise CannotTellError("nothing was ever due here; schedules run in: orchestrator serve")
        late = [
            f"{name}: last at {at:%Y-%m-%d %H:%M} UTC" for name, at in last.items() if now - at > 2 * intervals[name]
        ]
        if late:
            raise OrchestratorError(
                Kind.UNAVAILABLE, "schedules are behind", details=tuple(late), hint="start: orchestrator serve"
            )
        waiting = len(intervals) - len(last)
        return f"{len(last)} of them tick" + (f", {waiting} not due yet" if waiting else "")


def _wall_clock(stat: str, uptime: str) -> datetime:
    """A Linux host's time, computed from its boot time and its uptime (proc(5)), to the second."""
    booted = next(line.split()[1] for line in stat.splitlines() if line.startswith("btime "))
    return datetime.fromtimestamp(int(booted) + float(uptime.split()[0]), UTC)
