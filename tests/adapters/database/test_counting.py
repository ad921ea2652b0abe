"""Sums beside runs and steps equal those over all rows, including deleted ones."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import select

from orchestrator.adapters.database import migrating
from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.migrating import upgrade
from orchestrator.adapters.database.store import SqlStore
from orchestrator.adapters.database.tables import RunRow, StepRow
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import Plan, Purpose
from orchestrator.domain.runs.run import OPEN_RUN, RunState, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.figures import BOUNDS
from tests.adapters.database.test_store_contract import NOW, agreement, catalog, order, plan, record, site, store

__all__ = ["agreement", "catalog", "order", "plan", "site", "store"]

AGENCIES = ("a1", "a2", "a3")
TOOK = (0, 0.5, 0.500001, 47.3, 3600, 7000)
"""Seconds."""

Rows = tuple[list[RunRow], list[StepRow]]
Durations = dict[tuple[str, ...], list[float | None]]


def all_rows(store: SqlStore) -> Rows:
    with store.read() as tx:
        return list(tx.session.exec(select(RunRow))), list(tx.session.exec(select(StepRow)))


def counted(runs: Iterable[RunRow], steps: Iterable[StepRow]) -> tuple[Any, ...]:
    of_runs: Durations = defaultdict(list)
    of_steps: Durations = defaultdict(list)
    for run in runs:
        of_runs[run.purpose, run.state].append(run.seconds)
    for step in steps:
        of_steps[step.component, step.verb, step.state].append(step.seconds)
    ends = [(*labels, len(found)) for labels, found in sorted(of_runs.items())]
    return ends, histograms(of_runs), histograms(of_steps)


def histograms(durations: Durations) -> list[tuple[Any, ...]]:
    found = []
    for labels, all_seconds in sorted(durations.items()):
        if known := [seconds for seconds in all_seconds if seconds is not None]:
            at_most = tuple(sum(seconds <= bound for seconds in known) for bound in BOUNDS)
            found.append((labels, at_most, len(known), pytest.approx(sum(known))))
    return found


def told(store: SqlStore) -> tuple[Any, ...]:
    with store.read() as tx:
        durations = (tx.figures.run_durations(), tx.figures.step_durations())
        plain = ([(h.labels, h.at_most, h.count, h.total_seconds) for h in family] for family in durations)
        return tx.figures.runs(), *plain


def newest(runs: Iterable[RunRow], steps: Iterable[StepRow]) -> dict[tuple[str, str], datetime]:
    agencies, found = {run.id: run.agency for run in runs}, dict[tuple[str, str], datetime]()
    for step in steps:
        if (step.verb, step.state) == (Verb.BACKUP, StepState.SUCCEEDED) and step.started_at:
            whose = agencies[step.run], step.component
            found[whose] = max(found.get(whose, step.started_at), step.started_at)
    return found


def work(store: SqlStore, plan: Plan, chance: random.Random, now: datetime) -> None:
    """Open a run of some agency, unless it has one, and advance some runs and steps."""
    agency, times = chance.choice(AGENCIES), {"started_at": now, "finished_at": None}
    with store.begin() as tx:
        if tx.runs.open_of(agency) is None:
            made = plan.model_copy(
                update={"agency": agency, "purpose": chance.choice((Purpose.BACKUP, Purpose.CHANGE))}
            )
            tx.runs.open(tx.plans.add(made, order=None, at=now), at=now)
        for run in tx.runs.newest(limit=5):
            times["finished_at"] = now + timedelta(seconds=chance.choice(TOOK))
            for step in chance.sample(tx.runs.steps(run.id), 1):
                moved = {"state": chance.choice((StepState.SUCCEEDED, StepState.FAILED, StepState.RUNNING))}
                if step.state is not StepState.SUCCEEDED:
                    tx.runs.put_step(run.id, step.model_copy(update=times | moved))
            if run.state in OPEN_RUN:
                state = chance.choice((RunState.RUNNING, RunState.FAILED, RunState.SUCCEEDED))
                ended = times if state not in OPEN_RUN else {}
                tx.runs.put(run.model_copy(update={"state": state, **ended}))


@pytest.mark.parametrize("seed", range(3))
def test_sums_are_those_of_all_rows_there_ever_were(store: SqlStore, plan: StoredPlan, seed: int) -> None:
    chance, gone = random.Random(seed), (list[RunRow](), list[StepRow]())
    verbs = (Verb.BACKUP, Verb.BACKUP, Verb.VERIFY)
    steps = [s.model_copy(update={"verb": verb}) for s, verb in zip(plan.plan.steps, verbs, strict=False)]
    with store.begin() as tx:
        for agency in AGENCIES:
            tx.agencies.put(record(plan.order, id=agency))
    for turn in range(40):
        now = NOW + timedelta(hours=turn)
        work(store, plan.plan.model_copy(update={"steps": tuple(steps)}), chance, now)
        before = all_rows(store)
        if turn % 10 == 9:
            with store.begin() as tx:
                assert tx.backups.forget(before=now - timedelta(hours=5), limit=1000)
            left = {run.id for run in all_rows(store)[0]}
            gone[0].extend(run for run in before[0] if run.id not in left)
            gone[1].extend(step for step in before[1] if step.run not in left)
        runs, stepped = all_rows(store)
        assert told(store) == counted([*gone[0], *runs], [*gone[1], *stepped])
        with store.read() as tx:
            assert tx.backups.last_of_all() == newest([*gone[0], *runs], [*gone[1], *stepped])


def test_an_upgrade_counts_what_is_there_and_what_was_forgotten(empty_url: str) -> None:
    """Two backups of ten seconds exist; one of a minute and a half was deleted."""
    engine, ten = connect(empty_url, create=True), NOW + timedelta(seconds=10)
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        for statement in OLD:
            connection.execute(sa.text(statement), {"now": NOW, "later": ten})
    assert upgrade(engine) == ("0010", migrating.HEAD)
    store = SqlStore(engine)
    took = [(("backup", "succeeded"), (0, 0, 0, 0, 2, 2, 2, 3, 3, 3, 3, 3), 3, 110)]
    stepped = [(("network", "backup", "succeeded"), (0, 0, 0, 0, 2, 2, 2, 3, 3, 3, 3, 3), 3, 110)]
    assert told(store) == ([("backup", "queued", 1), ("backup", "succeeded", 3)], took, stepped)
    with store.read() as tx:
        assert tx.backups.last_of_all() == {("a1", "network"): NOW}
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:  # what refers to what is held again
        connection.execute(sa.text("delete from run where id = 1"))
    engine.dispose()


_RUN = (
    "insert into run (id, agency, site, purpose, plan, state, priority, due_at, on_failure, hosts, attempt, "
    "cancel_requested, created_at, started_at, finished_at, seconds) values "
)
_STEP = (
    "insert into step (run, id, position, component, verb, placement, needs, because, always, state, attempt, tries, "
    "started_at, finished_at, seconds, ok, changed, failed, unreachable) values "
)
_ENDED = "'a1', 'here', 'backup', 1, 'succeeded', 'change', :now, 'keep', '[]', 1, false, :now, :now, :later, 10.0"
_BACKUP = "'n.backup', 1, 'network', 'backup', '{}', '[]', '', false, 'succeeded', 1, 1, :now, :later, 10.0, 1, 0, 0, 0"
_AT_MOST = "'[0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]'"
_NONE = "'[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]'"
OLD = (
    "insert into agency (id, name, framework, site, call_off, committed_pence, created_at) "
    """values ('a1', 'a1', 'flex', 'here', '{"term": {"start": "2026-12-01", "months": 12}}', 0, :now)""",
    "insert into plan (id, agency, digest, body, created_at) values (1, 'a1', '', '{}', :now)",
    f"{_RUN} (1, {_ENDED})",
    f"{_RUN} (2, {_ENDED})",
    f"{_RUN} (3, 'a1', 'here', 'backup', 1, 'queued', 'change', :now, 'keep', '[]', 1, false, :now, null, null, null)",
    f"{_STEP} (1, {_BACKUP})",
    f"{_STEP} (2, {_BACKUP})",
    f"insert into forgotten values ('runs', 'backup/succeeded', {_NONE}, 1, 0)",
    f"insert into forgotten values ('run_durations', 'backup/succeeded', {_AT_MOST}, 1, 90)",
    f"insert into forgotten values ('step_durations', 'network/backup/succeeded', {_AT_MOST}, 1, 90)",
)
"""Rows as they were at schema 0010."""
