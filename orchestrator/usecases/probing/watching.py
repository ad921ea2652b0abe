"""Probing: electing the one process that probes, judging its readings, and recording what changed."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.domain.probing import readings as probing
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget, Reading, StateChange
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import ProbeCounts
from orchestrator.ports.outside import Clock
from orchestrator.ports.probing import KeptStanding, Prepared, Transitions
from orchestrator.ports.store import Store
from orchestrator.usecases.probing.targeting import Targeting

log = logging.getLogger(__name__)

PROBER_LEASE = timedelta(seconds=20)
"""A prober that has not renewed its lease for this long gives way to another one."""

GONE = "the service is no longer there to be probed"

Changes = list[tuple[ProbeKey, StateChange]]
Standings = dict[ProbeKey, KeptStanding]


@dataclass
class Probing:
    """Between the pool of probes and the records. Used by one thread at a time."""

    store: Store
    clock: Clock
    targeting: Targeting
    holder: str
    counts: ProbeCounts
    _in_force: Standings = field(default_factory=dict)
    _live: set[ProbeKey] | None = None
    _latest: dict[ProbeKey, dict[str, Reading]] = field(default_factory=dict)
    """The latest readings of services with several hosts, by host."""

    def take(self) -> bool:
        """Begin to probe, unless another process does. Health is unknown for the time in which nobody probed."""
        now = self.clock.now()
        with self.store.begin() as tx:
            if not tx.prober.take(self.holder, lease=PROBER_LEASE):
                return False
            read_until = tx.prober.read_until()
            in_force = {kept.key: _resumed(kept, read_until) for kept in tx.transitions.standings()}
            changes = list(_silences(in_force, now))
            _keep(tx.transitions, in_force, changes)
        self._in_force, self._live, self._latest = in_force, None, {}
        return True

    def targets(self) -> list[ProbeTarget]:
        found = self.targeting.targets()
        self._live = {target.key for target in found}
        hosts = {(target.key, target.host) for target in found}
        for key, latest in self._latest.items():
            self._latest[key] = {host: reading for host, reading in latest.items() if (key, host) in hosts}
        return found

    def prepare(self, target: ProbeTarget) -> Prepared:
        return self.targeting.prepare(target)

    def heard(self, readings: Sequence[tuple[ProbeTarget, Reading]], *, read_until: datetime) -> bool:
        """Judge readings, in their order, and renew the lease. False if another process has begun to probe: then none
        is recorded."""
        in_force, latest = dict(self._in_force), {key: dict(found) for key, found in self._latest.items()}
        changes: Changes = []
        for target, reading in _of_services(readings, latest):
            before = in_force[target.key].standing if target.key in in_force else None
            standing, made = probing.heard(before, reading, target.every)
            in_force[target.key] = KeptStanding(target.key, target.every, standing)
            changes += [(target.key, change) for change in made]
        changes += _silences(in_force, read_until)
        changes += self._departures(in_force, read_until)
        with self.store.begin() as tx:
            if not tx.prober.beat(self.holder, read_until=read_until):
                return False
            _keep(tx.transitions, in_force, changes)
        self._in_force, self._latest = in_force, latest
        for _, reading in readings:
            self.counts.readings[reading.state] += 1
        return True

    def _departures(self, in_force: Standings, at: datetime) -> Iterator[tuple[ProbeKey, StateChange]]:
        """Changes to unknown, for what is no longer probed."""
        for key in () if self._live is None else in_force.keys() - self._live:
            kept = in_force[key]
            if kept.standing.state is not State.UNKNOWN:
                ended = probing.ending(kept.standing, at, GONE)
                in_force[key] = kept._replace(standing=ended)
                yield key, StateChange(ended.since, ended.state, ended.detail)

    def leave(self) -> None:
        """Release the lease, so that another process can probe at once."""
        with self.store.begin() as tx:
            tx.prober.leave(self.holder)


def _of_services(
    readings: Sequence[tuple[ProbeTarget, Reading]], latest: dict[ProbeKey, dict[str, Reading]]
) -> Iterator[tuple[ProbeTarget, Reading]]:
    """Readings of services, from readings of single hosts and the `latest` readings of the other hosts."""
    for target, reading in readings:
        if target.host is None:
            yield target, reading
            continue
        of_service = latest.setdefault(target.key, {})
        of_service[target.host] = reading
        if (whole := probing.together(of_service, target)) is not None:
            yield target, whole


def _resumed(kept: KeptStanding, read_until: datetime | None) -> KeptStanding:
    """The standing, with the instant of the last prober's last reading."""
    key, every, standing = kept
    last = probing.last_slot(key, every, read_until) if read_until else standing.since
    return kept._replace(standing=standing._replace(read_at=max(last, standing.since)))


def _silences(in_force: Standings, now: datetime) -> Iterator[tuple[ProbeKey, StateChange]]:
    """Changes to unknown, for what was not probed for too long."""
    for kept in list(in_force.values()):
        standing, made = probing.silent(kept.standing, kept.every, now=now)
        if made:
            in_force[kept.key] = kept._replace(standing=standing)
            yield from ((kept.key, change) for change in made)


def _keep(transitions: Transitions, in_force: Standings, changes: Changes) -> None:
    transitions.record(changes)
    transitions.keep([in_force[key] for key in {key for key, _ in changes}])
