"""Runs, their steps, and the queue."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from orchestrator.adapters.database import mapping
from orchestrator.adapters.database.comparisons import standing_comparisons
from orchestrator.adapters.database.counting import note_backup, of_run, of_step, recount
from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import RunRow, StepRow, metadata
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import hosts_in
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.admission import Place
from orchestrator.domain.runs.run import CHANGING, OPEN_RUN, Busy, Run, RunState, StepRecord, StepState
from orchestrator.domain.runs.run_options import USUAL, RunOptions

_OPEN_OF = sa.select(RunRow).where(col(RunRow.agency) == sa.bindparam("agency"), col(RunRow.state).in_(OPEN_RUN))


class RunRepository(Repository):
    def open(self, plan: StoredPlan, options: RunOptions = USUAL, *, at: datetime) -> Run:
        if already := self.open_of(plan.plan.agency):
            raise _already_open(already)
        run = Run(
            id=0,
            agency=plan.plan.agency,
            site=plan.plan.site,
            purpose=plan.plan.purpose,
            plan=plan.id,
            state=RunState.QUEUED,
            priority=options.priority,
            on_failure=options.on_failure,
            cause=options.cause,
            hosts=tuple(sorted({host for step in plan.plan.steps for host in step.hosts})),
            created_at=at,
        )
        row = mapping.run_row(run)
        row.id = None
        self._session.add(row)
        self._session.flush()
        assert row.id is not None
        recount(self._session, Counter(of_run(row)))
        steps = [mapping.new_step(step, run=row.id, position=n) for n, step in enumerate(plan.plan.steps)]
        if steps:
            self._session.execute(sa.insert(metadata.tables["step"]), steps)
        return mapping.run(row)

    def get(self, run: int) -> Run | None:
        row = self._session.get(RunRow, run)
        return mapping.run(row) if row else None

    def put(self, run: Run) -> None:
        before, row = self._session.get(RunRow, run.id), mapping.run_row(run)
        assert before is not None
        more = Counter(of_run(row))
        more.subtract(of_run(before))
        self._session.merge(row)
        try:
            self._session.flush()
        except sa.exc.IntegrityError as error:
            raise OrchestratorError(Kind.CONFLICT, f"another run of {run.agency} is open") from error
        recount(self._session, more)

    def open_of(self, agency: str) -> Run | None:
        row = self._session.execute(_OPEN_OF, {"agency": agency}).scalar_one_or_none()
        return mapping.run(row) if row else None

    def waiting(self, agency: str | None = None) -> list[Run]:
        query = select(RunRow).where(RunRow.state == RunState.WAITING).order_by(col(RunRow.id))
        if agency is not None:
            query = query.where(RunRow.agency == agency)
        return [mapping.run(row) for row in self._session.exec(query)]

    def caused_by(self, run: int) -> Run | None:
        query = select(RunRow).where(RunRow.cause == run).order_by(col(RunRow.id).desc())
        row = self._session.exec(query).first()
        return mapping.run(row) if row else None

    def newest(
        self, *, agency: str | None = None, purposes: Collection[Purpose] = tuple(Purpose), limit: int = 50
    ) -> list[Run]:
        query = select(RunRow).order_by(col(RunRow.id).desc()).limit(limit)
        if set(purposes) != set(Purpose):
            query = query.where(col(RunRow.purpose).in_(purposes))
        if agency is not None:
            query = query.where(RunRow.agency == agency)
        return [mapping.run(r) for r in self._session.exec(query)]

    def queue(self) -> list[Place]:
        return self._places(RunState.QUEUED)

    def active(self) -> list[Place]:
        return self._places(RunState.ADMITTED, RunState.RUNNING)

    def _places(self, *states: RunState) -> list[Place]:
        query = (
            select(RunRow.id, RunRow.agency, RunRow.site, RunRow.hosts)
            .where(col(RunRow.state).in_(states))
            .order_by(col(RunRow.due_at), col(RunRow.id))
        )
        rows = self._session.exec(query)
        return [Place(run or 0, agency, site, tuple(hosts)) for run, agency, site, hosts in rows]

    def count(self, state: RunState) -> int:
        return self._session.exec(select(sa.func.count()).select_from(RunRow).where(RunRow.state == state)).one()

    def changing_elsewhere(self, run: Run) -> list[Busy]:
        query = (
            select(StepRow.run, RunRow.agency, StepRow.component, StepRow.placement)
            .join(RunRow, col(RunRow.id) == col(StepRow.run))
            .where(col(RunRow.state) == RunState.RUNNING, col(RunRow.site) == run.site, col(RunRow.id) != run.id)
            .where(col(StepRow.state) == StepState.RUNNING, col(StepRow.verb).in_(CHANGING))
        )
        return [
            Busy(run=other, agency=agency, component=component, hosts=hosts_in(placement))
            for other, agency, component, placement in self._session.exec(query)
        ]

    def drifted(self, agency: str) -> dict[str, int]:
        found: Any = self._session.execute(standing_comparisons(col(RunRow.agency) == agency))
        return {component: run for _, component, run, changed in found if changed}

    def step(self, run: int, step: str) -> StepRecord:
        row = self._session.get(StepRow, (run, step))
        assert row is not None
        return mapping.step(row)

    def steps(self, run: int) -> list[StepRecord]:
        query = select(StepRow).where(StepRow.run == run).order_by(col(StepRow.position))
        return [mapping.step(r) for r in self._session.exec(query)]

    def put_step(self, run: int, step: StepRecord) -> None:
        before = self._session.get(StepRow, (run, step.id))
        assert before is not None
        row = mapping.step_row(step, run=run, position=before.position)
        more = Counter(of_step(row))
        more.subtract(of_step(before))
        self._session.merge(row)
        recount(self._session, more)
        note_backup(self._session, row)


def _already_open(run: Run) -> OrchestratorError:
    return OrchestratorError(
        Kind.CONFLICT,
        f"run {run.id} of {run.agency} is {run.state.value}; an agency has one open run at a time",
        hint=f"follow it with: orchestrator run follow {run.id}, or stop it with: orchestrator run cancel {run.id}",
        ids={"run": str(run.id)},
    )
