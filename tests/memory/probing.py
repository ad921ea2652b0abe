"""Transitions of probes, what is in force for each, and the lease to probe, in memory."""

import time
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from orchestrator.domain.probing.readings import ProbeKey, StateChange
from orchestrator.domain.service_levels.record import Timeline, Transition
from orchestrator.ports.probing import KeptStanding
from tests.memory.records import Repository, add_new


class Transitions(Repository):
    def record(self, changes: Sequence[tuple[ProbeKey, StateChange]]) -> None:
        for key, change in changes:
            add_new(self.records.transitions, (key, change.at), (self.records.number("transition"), change))
            self.records.forget_meters(key.agency, key.component)

    def keep(self, standings: Iterable[KeptStanding]) -> None:
        for kept in standings:
            self.records.standings[kept.key] = kept._replace(standing=kept.standing._replace(read_at=None))

    def standings(self, agency: str | None = None) -> list[KeptStanding]:
        return [kept for key, kept in self.records.standings.items() if agency in (None, key.agency)]

    def between(self, agency: str, component: str, start: datetime, end: datetime) -> dict[str, Timeline]:
        found: dict[str, list[StateChange]] = {}
        for key, change in self._in_order():
            if key[:2] == (agency, component) and change.at < max(end, start + timedelta.resolution):
                part = found.setdefault(key.probe, [])
                if change.at <= start:
                    part.clear()
                part.append(change)
        return {probe: _timeline(part) for probe, part in found.items()}

    def of(self, agencies: Collection[str]) -> dict[tuple[str, str], dict[str, Timeline]]:
        found: dict[ProbeKey, list[StateChange]] = {}
        for key, change in self._in_order():
            if key.agency in agencies:
                found.setdefault(key, []).append(change)
        services: dict[tuple[str, str], dict[str, Timeline]] = {}
        for key, part in sorted(found.items()):
            services.setdefault(key[:2], {})[key.probe] = _timeline(part)
        return services

    def changes(self, after: int) -> list[tuple[int, str, str]]:
        rows = ((number, *key[:2]) for (key, _), (number, _) in self.records.transitions.items())
        return [row for row in rows if row[0] > after]

    def last_change(self) -> int:
        return max((number for number, _ in self.records.transitions.values()), default=0)

    def probed(self) -> list[tuple[str, str]]:
        return sorted({key[:2] for key in self.records.standings})

    def _in_order(self) -> list[tuple[ProbeKey, StateChange]]:
        rows = ((key, change) for (key, _), (_, change) in self.records.transitions.items())
        return sorted(rows, key=lambda row: row[1].at)


def _timeline(part: Iterable[StateChange]) -> Timeline:
    return tuple(Transition(at=change.at, state=change.state) for change in part)


class Prober(Repository):
    def take(self, holder: str, *, lease: timedelta) -> bool:
        now, held = time.time(), self.records.prober[1]
        if held.holder != holder and held.beat >= now - lease.total_seconds():
            return False
        self.records.prober[1] = held._replace(holder=holder, beat=now)
        return True

    def beat(self, holder: str, *, read_until: datetime) -> bool:
        return self._change(holder, beat=time.time(), read_until=read_until)

    def leave(self, holder: str) -> None:
        self._change(holder, holder=None, beat=0.0)

    def read_until(self) -> datetime | None:
        return self.records.prober[1].read_until

    def _change(self, whose: str, **known: Any) -> bool:
        held = self.records.prober[1]
        if held.holder == whose:
            self.records.prober[1] = held._replace(**known)
        return held.holder == whose
