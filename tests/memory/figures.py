"""Figures for dashboards, counted from the records one by one: what the sums of the databases are held against."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, TypeVar

from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.recovery.drills import STOPPED, UNDER_WAY, Drill, DrillState
from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.domain.runs.run import Run, RunState, StepRecord
from orchestrator.ports.figures import BOUNDS, Histogram, Labelled
from tests.memory.comparisons import standing_comparisons
from tests.memory.records import Repository

WAITING = (DrillState.APPROVAL_PENDING, DrillState.APPROVED)

V = TypeVar("V", bound=tuple[Any, ...])
Durations = dict[tuple[str, ...], list[timedelta]]


class Figures(Repository):
    def agencies(self) -> list[tuple[str, str, str, str]]:
        there = (a for _, a in sorted(self.records.agencies.items()) if a.offboarded_at is None)
        return [(a.id, a.name, a.framework, a.site) for a in there]

    def services(self) -> list[tuple[str, str, str, str]]:
        return self._there((*whose, i.tier, i.state.value) for whose, i in self.records.instances.items())

    def served(self, at: datetime) -> list[tuple[str, str, str, str, datetime]]:
        agencies, instances = self.records.agencies, self.records.instances
        return self._there(
            (agency, component, agencies[agency].framework, instances[agency, component].tier, began_at)
            for (agency, component, began_at), ended_at in self.records.periods.items()
            if (agency, component) in instances and began_at <= at and (ended_at is None or ended_at > at)
        )

    def drill_outcomes(self) -> list[tuple[str, str, str, int]]:
        ended = [d for d in self.records.drills.values() if d.state not in (*WAITING, *UNDER_WAY)]
        outcomes = Counter(
            (d.agency, d.component, d.verdict.value if d.verdict and _measured(d) else d.state.value) for d in ended
        )
        return self._there((*labels, times) for labels, times in outcomes.items())

    def drills_measured(self) -> list[tuple[str, str, float | None, float | None]]:
        newest = self._newest(_measured)
        return self._there((*whose, drill.rto_seconds, drill.rpo_seconds) for whose, drill in newest.items())

    def drills_passed(self) -> list[tuple[str, str, datetime]]:
        newest = self._newest(lambda d: d.verdict in (Verdict.PASS, Verdict.PASS_WITH_FINDINGS))
        return self._there((*whose, drill.finished_at) for whose, drill in newest.items() if drill.finished_at)

    def drills_due(self) -> list[tuple[str, str, datetime]]:
        due: dict[tuple[str, str], datetime] = {}
        for drill in self.records.drills.values():
            if drill.state in WAITING:
                whose = drill.agency, drill.component
                due[whose] = min(due.get(whose, drill.scheduled_at), drill.scheduled_at)
        return self._there((*whose, at) for whose, at in due.items())

    def recovery_points(self) -> list[tuple[str, str, datetime]]:
        return self._there((*whose, at) for whose, at in self.records.newest_backups.items())

    def drift(self) -> list[Labelled]:
        return [(one.agency, one.component, float(one.changed)) for one in standing_comparisons(self.records)]

    def runs(self) -> list[tuple[str, str, int]]:
        ends = Counter((run.purpose.value, run.state.value) for run, _ in self._ever())
        return [(*labels, times) for labels, times in sorted(ends.items())]

    def run_durations(self) -> list[Histogram]:
        found: Durations = defaultdict(list)
        for run, _ in self._ever():
            found[run.purpose.value, run.state.value] += _took(run)
        return _histograms(found)

    def step_durations(self) -> list[Histogram]:
        found: Durations = defaultdict(list)
        for _, steps in self._ever():
            for step in steps:
                found[step.component, step.verb.value, step.state.value] += _took(step)
        return _histograms(found)

    def onboarding_durations(self) -> list[Histogram]:
        found: Durations = defaultdict(list)
        for run in self.records.runs.values():
            if (run.purpose, run.state) == (Purpose.ONBOARD, RunState.SUCCEEDED) and run.finished_at:
                framework, plan = self.records.agencies[run.agency].framework, self.records.plans[run.plan]
                found[framework,].append(run.finished_at - plan.created_at)
        return _histograms(found)

    def _ever(self) -> Iterable[tuple[Run, tuple[StepRecord, ...]]]:
        """All runs with their steps, also those that are forgotten."""
        there = ((run, self.records.steps[run.id]) for run in self.records.runs.values())
        return chain(there, self.records.forgotten.values())

    def _there(self, rows: Iterable[V]) -> list[V]:
        """In order, without those of agencies that have left."""
        here = {a[0] for a in self.agencies()}
        return sorted((row for row in rows if row[0] in here), key=lambda row: row[:3])

    def _newest(self, which: Callable[[Drill], bool]) -> Mapping[tuple[str, str], Drill]:
        return {(d.agency, d.component): d for _, d in sorted(self.records.drills.items()) if which(d)}


def _measured(drill: Drill) -> bool:
    return drill.verdict is not None and drill.state not in STOPPED


def _took(what: Run | StepRecord) -> list[timedelta]:
    return [what.finished_at - what.started_at] if what.started_at and what.finished_at else []


def _histograms(durations: Durations) -> list[Histogram]:
    return [
        Histogram(
            labels=labels,
            at_most=tuple(sum(took.total_seconds() <= bound for took in all_of_them) for bound in BOUNDS),
            count=len(all_of_them),
            total_seconds=sum(all_of_them, timedelta()).total_seconds(),
        )
        for labels, all_of_them in sorted(durations.items())
        if all_of_them
    ]
