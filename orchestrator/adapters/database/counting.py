"""Sums beside the rows: how runs ended, how long they and their steps took, and each component's newest backup.

Every write of a run or a step updates them. They outlive the rows, because counters must not fall.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from itertools import accumulate
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session

from orchestrator.adapters.database.tables import RunRow, StepRow, metadata
from orchestrator.domain.runs.run import StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.figures import BOUNDS, Histogram

RUNS, RUN_DURATIONS, STEP_DURATIONS = "runs", "run_durations", "step_durations"
SEPARATOR = "/"
MICROSECONDS = 1_000_000

_COUNTED, _NEWEST = metadata.tables["counted"], metadata.tables["newest_backup"]


class Counted(NamedTuple):
    """The counter that a row adds one to, and the duration it reports."""

    family: str
    labels: str
    microseconds: int

    @property
    def bucket(self) -> int:
        """The index of the first of `BOUNDS` that the duration does not exceed."""
        return bisect_left(BOUNDS, self.microseconds / MICROSECONDS)


def of_run(run: RunRow) -> Iterator[Counted]:
    labels = SEPARATOR.join((run.purpose, run.state))
    yield Counted(RUNS, labels, 0)
    if run.seconds is not None:
        yield Counted(RUN_DURATIONS, labels, round(run.seconds * MICROSECONDS))


def of_step(step: StepRow) -> Iterator[Counted]:
    if step.seconds is not None:
        labels = SEPARATOR.join((step.component, step.verb, step.state))
        yield Counted(STEP_DURATIONS, labels, round(step.seconds * MICROSECONDS))


def recount(session: Session, more: Counter[Counted]) -> None:
    """Apply differences, positive or negative, to the stored counts."""
    if rows := [row for row in rows_of(more) if row["count"]]:
        session.connection().execute(_adding(session.get_bind().dialect.name), rows)


def rows_of(counts: Counter[Counted]) -> Iterator[dict[str, Any]]:
    """The counts as rows. Several rows may belong to one bucket and must be added."""
    for what, times in counts.items():
        plain = {"family": what.family, "labels": what.labels, "bucket": what.bucket}
        yield plain | {"count": times, "microseconds": times * what.microseconds}


def histograms(session: Session, family: str) -> list[Histogram]:
    """The histograms of a family, ordered by label."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
    took: Counter[str] = Counter()
    rows: Any = session.connection().execute(sa.select(_COUNTED).where(_COUNTED.c.family == family))
    for _, labels, bucket, count, microseconds in rows:
        counts[labels][bucket] += count
        took[labels] += microseconds
    found = [_histogram(labels, by_bucket, took[labels]) for labels, by_bucket in counts.items()]
    return sorted((h for h in found if h.count), key=lambda h: h.labels)


def note_backup(session: Session, step: StepRow) -> None:
    """Remember the newest successful backup."""
    if (step.verb, step.state) == (Verb.BACKUP, StepState.SUCCEEDED) and step.started_at:
        run = session.get(RunRow, step.run)
        assert run is not None
        row = {"agency": run.agency, "component": step.component, "started_at": step.started_at}
        session.connection().execute(_noting(session.get_bind().dialect.name), row)


def _histogram(labels: str, by_bucket: list[int], microseconds: int) -> Histogram:
    *at_most, count = accumulate(by_bucket)
    return Histogram(
        labels=tuple(labels.split(SEPARATOR)),
        at_most=tuple(at_most),
        count=count,
        total_seconds=microseconds / MICROSECONDS,
    )


@lru_cache
def _adding(dialect: str) -> Any:
    statement = import_module(f"sqlalchemy.dialects.{dialect}").insert(_COUNTED)
    sums = {name: _COUNTED.c[name] + statement.excluded[name] for name in ("count", "microseconds")}
    return statement.on_conflict_do_update(index_elements=list(_COUNTED.primary_key), set_=sums)


@lru_cache
def _noting(dialect: str) -> Any:
    statement = import_module(f"sqlalchemy.dialects.{dialect}").insert(_NEWEST)
    return statement.on_conflict_do_update(
        index_elements=list(_NEWEST.primary_key),
        set_={"started_at": statement.excluded.started_at},
        where=statement.excluded.started_at > _NEWEST.c.started_at,
    )
