"""The small repositories of one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from orchestrator.adapters.database import mapping
from orchestrator.adapters.database.tables import (
    AgencyRow,
    AllocationRow,
    EventRow,
    InstanceRow,
    PlanRow,
    RunRow,
    SecretRow,
    StepRow,
    WorkerRow,
)
from orchestrator.domain.admission import Place
from orchestrator.domain.agreement import CallOff
from orchestrator.domain.allocation import Allocation, Holding
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Event, Happening
from orchestrator.domain.instance import ServiceInstance
from orchestrator.domain.plan import Plan
from orchestrator.domain.run import (
    CHANGING,
    OPEN_RUN,
    Busy,
    OnFailure,
    Priority,
    Run,
    RunState,
    StepRecord,
    StepState,
)
from orchestrator.domain.site import hosts_in
from orchestrator.usecases.ports import AgencyRecord, StoredPlan


class Repository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def _run(self, statement: Any) -> int:
        """Carry out an update, insert or delete; how many rows it touched."""
        result: Any = self._session.execute(statement)
        return int(result.rowcount)


class AgencyRepository(Repository):
    def get(self, agency: str) -> AgencyRecord | None:
        row = self._session.get(AgencyRow, agency)
        return mapping.agency(row) if row else None

    def all(self) -> list[AgencyRecord]:
        return [mapping.agency(r) for r in self._session.exec(select(AgencyRow).order_by(AgencyRow.id))]

    def put(self, record: AgencyRecord) -> None:
        self._session.merge(mapping.agency_row(record))
        self._session.flush()

    def committed(self, framework: str, *, without: str) -> Decimal:
        query = select(sa.func.sum(AgencyRow.committed_pence)).where(
            AgencyRow.framework == framework, AgencyRow.id != without, col(AgencyRow.offboarded_at).is_(None)
        )
        return Decimal(self._session.exec(query).one() or 0) / mapping.PENCE


class InstanceRepository(Repository):
    def of(self, agency: str) -> dict[str, ServiceInstance]:
        rows = self._session.exec(
            select(InstanceRow).where(InstanceRow.agency == agency).order_by(InstanceRow.component)
        )
        return {r.component: mapping.instance(r) for r in rows}

    def all(self) -> list[ServiceInstance]:
        rows = self._session.exec(select(InstanceRow).order_by(InstanceRow.agency, InstanceRow.component))
        return [mapping.instance(r) for r in rows]

    def put(self, instance: ServiceInstance) -> None:
        self._session.merge(mapping.instance_row(instance))


class AllocationRepository(Repository):
    def of(self, agency: str, *, site: str) -> dict[str, Allocation]:
        rows = self._session.exec(
            select(AllocationRow).where(AllocationRow.agency == agency, AllocationRow.site == site)
        )
        return {r.name: mapping.allocation(r) for r in rows}

    def taken(self, site: str, pool: str) -> set[str]:
        return set(
            self._session.exec(
                select(AllocationRow.block).where(AllocationRow.site == site, AllocationRow.pool == pool)
            )
        )

    def add(self, allocation: Allocation, *, at: datetime) -> None:
        self._session.add(mapping.allocation_row(allocation, at=at))
        try:
            self._session.flush()
        except sa.exc.IntegrityError as error:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{allocation.block} of {allocation.pool} was taken by somebody else a moment ago",
                hint="plan again",
            ) from error

    def hold(self, agency: str) -> None:
        self._run(sa.update(AllocationRow).where(col(AllocationRow.agency) == agency).values(holding=Holding.HELD))

    def release(self, agency: str, names: Iterable[str]) -> None:
        self._run(
            sa.delete(AllocationRow).where(
                col(AllocationRow.agency) == agency, col(AllocationRow.name).in_(list(names))
            )
        )

    def forget_reserved(self, *, before: datetime) -> None:
        self._run(
            sa.delete(AllocationRow).where(
                col(AllocationRow.holding) == Holding.RESERVED, col(AllocationRow.at) < before
            )
        )


class PlanRepository(Repository):
    def add(self, plan: Plan, *, order: CallOff | None, at: datetime) -> StoredPlan:
        row = mapping.plan_row(plan, order=order, at=at)
        self._session.add(row)
        self._session.flush()
        return mapping.stored_plan(row)

    def get(self, plan: int) -> StoredPlan | None:
        row = self._session.get(PlanRow, plan)
        return mapping.stored_plan(row) if row else None

    def forget_unapplied(self, *, before: datetime, limit: int) -> int:
        applied = sa.exists().where(col(RunRow.plan) == col(PlanRow.id))
        old = sa.select(col(PlanRow.id)).where(col(PlanRow.created_at) < before, ~applied).limit(limit)
        return self._run(sa.delete(PlanRow).where(col(PlanRow.id).in_(old)))


class RunRepository(Repository):
    def open(
        self,
        plan: StoredPlan,
        *,
        at: datetime,
        priority: Priority = Priority.CHANGE,
        on_failure: OnFailure = OnFailure.KEEP,
        cause: int | None = None,
    ) -> Run:
        if already := self.open_of(plan.plan.agency):
            raise _already_open(already)
        run = Run(
            id=0,
            agency=plan.plan.agency,
            site=plan.plan.site,
            purpose=plan.plan.purpose,
            plan=plan.id,
            state=RunState.QUEUED,
            priority=priority,
            on_failure=on_failure,
            cause=cause,
            hosts=tuple(sorted({host for step in plan.plan.steps for host in step.hosts})),
            created_at=at,
        )
        row = mapping.run_row(run)
        row.id = None
        self._session.add(row)
        self._session.flush()
        assert row.id is not None
        for position, step in enumerate(plan.plan.steps):
            record = StepRecord.model_validate(step.model_dump())
            self._session.add(mapping.step_row(record, run=row.id, position=position))
        return mapping.run(row)

    def get(self, run: int) -> Run | None:
        row = self._session.get(RunRow, run)
        return mapping.run(row) if row else None

    def put(self, run: Run) -> None:
        self._session.merge(mapping.run_row(run))
        try:
            self._session.flush()
        except sa.exc.IntegrityError as error:
            raise OrchestratorError(Kind.CONFLICT, f"another run of {run.agency} is open") from error

    def open_of(self, agency: str) -> Run | None:
        row = self._session.exec(
            select(RunRow).where(RunRow.agency == agency, col(RunRow.state).in_(OPEN_RUN))
        ).one_or_none()
        return mapping.run(row) if row else None

    def caused_by(self, run: int) -> Run | None:
        query = select(RunRow).where(RunRow.cause == run).order_by(col(RunRow.id).desc())
        row = self._session.exec(query).first()
        return mapping.run(row) if row else None

    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Run]:
        query = select(RunRow).order_by(col(RunRow.id).desc()).limit(limit)
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

    def steps(self, run: int) -> list[StepRecord]:
        query = select(StepRow).where(StepRow.run == run).order_by(col(StepRow.position))
        return [mapping.step(r) for r in self._session.exec(query)]

    def put_step(self, run: int, step: StepRecord) -> None:
        row = self._session.get(StepRow, (run, step.id))
        assert row is not None
        self._session.merge(mapping.step_row(step, run=run, position=row.position))


def _already_open(run: Run) -> OrchestratorError:
    return OrchestratorError(
        Kind.CONFLICT,
        f"run {run.id} of {run.agency} is {run.state.value}; an agency has one open run at a time",
        hint=f"follow it with: orchestrator run follow {run.id}, or stop it with: orchestrator run cancel {run.id}",
        ids={"run": str(run.id)},
    )


class EventRepository(Repository):
    def add(
        self,
        happenings: Iterable[Happening],
        *,
        agency: str,
        at: datetime,
        run: int | None = None,
        step: str | None = None,
    ) -> None:
        rows = [
            {"at": at, "agency": agency, "run": run, "step": step, "what": h.model_dump(mode="json")}
            for h in happenings
        ]
        if rows:
            self._session.execute(sa.insert(EventRow), rows)

    def after(self, event: int, *, run: int | None = None, limit: int = 500) -> list[Event]:
        query = select(EventRow).where(col(EventRow.id) > event).order_by(col(EventRow.id)).limit(limit)
        if run is not None:
            query = query.where(EventRow.run == run)
        return [mapping.event(r) for r in self._session.exec(query)]

    def forget(self, *, before: datetime, apart_from: Sequence[str], limit: int) -> int:
        return self._forget(col(EventRow.at) < before, col(EventRow.agency).not_in(apart_from), limit=limit)

    def forget_of(self, agency: str, *, before: datetime, limit: int) -> int:
        return self._forget(col(EventRow.agency) == agency, col(EventRow.at) < before, limit=limit)

    def _forget(self, *which: Any, limit: int) -> int:
        old = sa.select(col(EventRow.id)).where(*which).limit(limit)
        return self._run(sa.delete(EventRow).where(col(EventRow.id).in_(old)))


class SecretRepository(Repository):
    def of(self, agency: str, component: str) -> dict[str, bytes]:
        query = select(SecretRow).where(SecretRow.agency == agency, SecretRow.component == component)
        return {r.name: r.token for r in self._session.exec(query)}

    def add(self, agency: str, component: str, name: str, token: bytes, *, at: datetime) -> None:
        self._session.add(SecretRow(agency=agency, component=component, name=name, token=token, created_at=at))

    def forget(self, agency: str, component: str) -> None:
        self._run(sa.delete(SecretRow).where(col(SecretRow.agency) == agency, col(SecretRow.component) == component))


class WorkerRepository(Repository):
    def join(self, worker: str, *, host: str, runs: int) -> None:
        self._session.merge(WorkerRow(id=worker, host=host, beat=self._clock(), alive=True, runs=runs))

    def beat(self, worker: str) -> bool:
        mine = sa.and_(col(WorkerRow.id) == worker, col(WorkerRow.alive).is_(True))
        return self._run(sa.update(WorkerRow).where(mine).values(beat=self._clock())) == 1

    def leave(self, worker: str) -> None:
        self._run(sa.update(WorkerRow).where(col(WorkerRow.id) == worker).values(alive=False))

    def bury(self, *, lease: timedelta) -> None:
        late = col(WorkerRow.beat) < self._clock() - lease.total_seconds()
        self._run(sa.update(WorkerRow).where(late, col(WorkerRow.alive).is_(True)).values(alive=False))

    def alive(self, *, lease: timedelta) -> set[str]:
        fresh = WorkerRow.beat >= self._clock() - lease.total_seconds()
        return set(self._session.exec(select(WorkerRow.id).where(WorkerRow.alive, fresh)))

    def capacity(self, *, lease: timedelta) -> int:
        fresh = WorkerRow.beat >= self._clock() - lease.total_seconds()
        return self._session.exec(select(sa.func.sum(WorkerRow.runs)).where(WorkerRow.alive, fresh)).one() or 0

    def unburied(self) -> set[str]:
        return set(self._session.exec(select(WorkerRow.id).where(WorkerRow.alive)))

    def _clock(self) -> float:
        """Seconds since 1970 by the database's clock, so that clocks of machines need not agree."""
        postgres = self._session.get_bind().dialect.name == "postgresql"
        now = "extract(epoch from clock_timestamp())" if postgres else "(julianday('now') - 2440587.5) * 86400.0"
        return float(self._session.execute(sa.text(f"select {now}")).scalar_one())
