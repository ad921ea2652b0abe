"""What was found on the hosts and still says something, in memory."""

from typing import NamedTuple

from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import StepState
from orchestrator.domain.selling.catalog import Verb
from tests.memory.records import Records


class Comparison(NamedTuple):
    agency: str
    component: str
    run: int
    changed: int


def standing_comparisons(records: Records) -> list[Comparison]:
    """The newest of every service that succeeded, where it began after the service last changed."""
    newest = {
        (run.agency, step.component): (run.id, step)
        for run in records.runs.values()
        if run.purpose is Purpose.DRIFT
        for step in records.steps[run.id]
        if (step.verb, step.state) == (Verb.COMPARE, StepState.SUCCEEDED)
    }
    return [
        Comparison(*whose, run, step.counts.changed)
        for whose, (run, step) in sorted(newest.items(), key=lambda row: row[0])
        if whose in records.instances and step.started_at and records.instances[whose].changed_at <= step.started_at
    ]
