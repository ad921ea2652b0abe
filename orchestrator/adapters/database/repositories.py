"""The small repositories of a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from orchestrator.adapters.database import mapping
from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import (
    DrillRow,
    EventRow,
    PlanRow,
    RunRow,
    SecretRow,
    TickRow,
    WorkerRow,
    metadata,
)
from orchestrator.domain.events import Event, Happening
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Plan
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.ports.secrets import MadeSecret, SecretPlace

_AGENCY, _INSTANCE = metadata.tables["agency"], metadata.tables["service_instance"]
_COMMITMENT = metadata.tables["commitment"]
_SECRET = metadata.tables["secret"]
_SECRET_PLACE = (_SECRET.c.agency, _SECRET.c.component, _SECRET.c.name)

_PROPOSED = sa.select(_SECRET).where(_SECRET.c.agency == sa.bindparam("agency"), _SECRET.c.next_token.is_not(None))

_ONE_AGENCY = sa.select(_AGENCY).where(_AGENCY.c.id == sa.bindparam("agency"))
_INSTANCES = sa.select(_INSTANCE).order_by(_INSTANCE.c.agency, _INSTANCE.c.component)
_INSTANCES_OF = _INSTANCES.where(_INSTANCE.c.agency == sa.bindparam("agency"))

_OWN = sa.select(_AGENCY.c.committed_pence).where(
    _AGENCY.c.id == sa.bindparam("agency"),
    _AGENCY.c.framework == _COMMITMENT.c.framework,
    _AGENCY.c.offboarded_at.is_(None),
)
_COMMITTED = sa.select(_COMMITMENT.c.pence - sa.func.coalesce(_OWN.scalar_subquery(), 0)).where(
    _COMMITMENT.c.framework == sa.bindparam("framework")
)


def _in_force(row: Mapping[str, Any]) -> int:
    """The commitment in pence while the row exists."""
    return 0 if row["offboarded_at"] else int(row["committed_pence"])


class AgencyRepository(Repository):
    def get(self, agency: str) -> AgencyRecord | None:
        row = self._session.execute(_ONE_AGENCY, {"agency": agency}).first()
        return mapping.agency(row) if row else None

    def all(self) -> list[AgencyRecord]:
        return [mapping.agency(row) for row in self._session.execute(sa.select(_AGENCY).order_by(_AGENCY.c.id))]

    def put(self, record: AgencyRecord) -> None:
        before = self._session.execute(_ONE_AGENCY, {"agency": record.id}).first()
        row, owed = mapping.agency_row(record), before.owed_pence if before else 0
        if before:
            self._commit_to(before.framework, -_in_force(before._asdict()))
        self._commit_to(before.framework if before else record.framework, row["owed_pence"] - owed)
        self._commit_to(record.framework, _in_force(row))
        self._upsert(_AGENCY, [row])

    def committed(self, framework: str, *, without: str) -> Decimal:
        pence = self._session.execute(_COMMITTED, {"framework": framework, "agency": without}).scalar_one_or_none()
        return Decimal(pence or 0) / mapping.PENCE

    def _commit_to(self, framework: str, pence: int) -> None:
        """Update the sum."""
        mine = _COMMITMENT.c.framework == framework
        if pence and not self._run(sa.update(_COMMITMENT).where(mine).values(pence=_COMMITMENT.c.pence + pence)):
            self._session.execute(sa.insert(_COMMITMENT), {"framework": framework, "pence": pence})


class InstanceRepository(Repository):
    def of(self, agency: str) -> dict[str, ServiceInstance]:
        rows = self._session.execute(_INSTANCES_OF, {"agency": agency})
        return {row.component: mapping.instance(row) for row in rows}

    def all(self) -> list[ServiceInstance]:
        return [mapping.instance(row) for row in self._session.execute(_INSTANCES)]

    def put(self, instance: ServiceInstance) -> None:
        self.put_all([instance])

    def put_all(self, instances: Iterable[ServiceInstance]) -> None:
        self._upsert(_INSTANCE, [mapping.instance_row(instance) for instance in instances])


class PlanRepository(Repository):
    def add(self, plan: Plan, *, order: CallOff | None, at: datetime) -> StoredPlan:
        row = mapping.plan_row(plan, order=order, at=at)
        self._session.add(row)
        self._session.flush()
        assert row.id is not None
        return StoredPlan(id=row.id, plan=plan, order=order, created_at=at)

    def get(self, plan: int) -> StoredPlan | None:
        row = self._session.get(PlanRow, plan)
        return mapping.stored_plan(row) if row else None

    def desired(self, plan: int) -> Mapping[str, ServiceInstance | None]:
        wishes = col(PlanRow.body)["desired"]
        found: Any = self._session.execute(sa.select(wishes).where(col(PlanRow.id) == plan)).scalar_one()
        return {name: ServiceInstance.model_validate(wish) if wish else None for name, wish in found.items()}

    def forget_unapplied(self, *, before: datetime, limit: int) -> int:
        applied = sa.exists().where(col(RunRow.plan) == col(PlanRow.id))
        drilled = sa.exists().where(col(DrillRow.plan) == col(PlanRow.id))
        old = sa.select(col(PlanRow.id)).where(col(PlanRow.created_at) < before, ~applied, ~drilled).limit(limit)
        return self._run(sa.delete(PlanRow).where(col(PlanRow.id).in_(old)))


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
            self._session.execute(sa.insert(metadata.tables["event"]), rows)

    def after(self, event: int, *, run: int | None = None, limit: int = 500) -> list[Event]:
        query = select(EventRow).where(col(EventRow.id) > event).order_by(col(EventRow.id)).limit(limit)
        if run is not None:
            query = query.where(EventRow.run == run)
        return [mapping.event(r) for r in self._session.exec(query)]

    def current_tasks(self, run: int, steps: Sequence[str]) -> dict[str, str]:
        task = col(EventRow.what)["task"].as_string()
        printed = (col(EventRow.what)["kind"].as_string() == "step_printed", task.is_not(None))
        found: dict[str, str] = {}
        for step in steps:
            mine = (col(EventRow.run) == run, col(EventRow.step) == step)
            query = sa.select(task).where(*mine, *printed).order_by(col(EventRow.id).desc()).limit(1)
            if (name := self._session.execute(query).scalar_one_or_none()) is not None:
                found[step] = name
        return found

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

    def forget(self, agency: str, component: str, *, apart_from: Sequence[str] = ()) -> None:
        mine = (col(SecretRow.agency) == agency, col(SecretRow.component) == component)
        self._run(sa.delete(SecretRow).where(*mine, col(SecretRow.name).not_in(apart_from)))

    def propose(self, place: SecretPlace, token: bytes) -> None:
        self._run(sa.update(_SECRET).where(sa.tuple_(*_SECRET_PLACE) == place).values(next_token=token))

    def proposed(self, agency: str) -> dict[str, dict[str, bytes]]:
        found: dict[str, dict[str, bytes]] = {}
        for row in self._session.execute(_PROPOSED, {"agency": agency}):
            found.setdefault(row.component, {})[row.name] = row.next_token
        return found

    def accept(self, agency: str, component: str, *, at: datetime) -> None:
        mine = (_SECRET.c.agency == agency, _SECRET.c.component == component, _SECRET.c.next_token.is_not(None))
        self._run(sa.update(_SECRET).where(*mine).values(token=_SECRET.c.next_token, next_token=None, created_at=at))

    def made(self, agency: str | None = None) -> list[MadeSecret]:
        shown = (*_SECRET_PLACE, _SECRET.c.created_at, _SECRET.c.next_token.is_not(None))
        query = sa.select(*shown).order_by(*_SECRET_PLACE)
        if agency is not None:
            query = query.where(_SECRET.c.agency == agency)
        return [MadeSecret._make(row) for row in self._session.execute(query)]

    def after(self, place: SecretPlace | None, *, limit: int) -> list[tuple[SecretPlace, bytes, bytes | None]]:
        query = sa.select(_SECRET).order_by(*_SECRET_PLACE).limit(limit)
        if place:
            query = query.where(sa.tuple_(*_SECRET_PLACE) > place)
        rows = self._session.execute(query)
        return [((row.agency, row.component, row.name), row.token, row.next_token) for row in rows]

    def replace(self, place: SecretPlace, token: bytes, proposed: bytes | None) -> None:
        mine = sa.tuple_(*_SECRET_PLACE) == place
        self._run(sa.update(_SECRET).where(mine).values(token=token, next_token=proposed))


TICKS_KEPT = timedelta(days=7)
"""Far longer than a scheduler may be late; one schedule ticks every minute."""


class TickRepository(Repository):
    def take(self, schedule: str, due: datetime, *, at: datetime) -> bool:
        if self._session.get(TickRow, (schedule, due)) is not None:
            return False
        self._session.add(TickRow(schedule=schedule, due_at=due, taken_at=at))
        self._run(sa.delete(TickRow).where(col(TickRow.schedule) == schedule, col(TickRow.due_at) < due - TICKS_KEPT))
        return True

    def last(self, schedule: str) -> datetime | None:
        query = select(TickRow.due_at).where(TickRow.schedule == schedule).order_by(col(TickRow.due_at).desc())
        return self._session.exec(query).first()


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
        return set(self._session.exec(select(WorkerRow.id).where(*self._living(lease))))

    def serving(self, *, lease: timedelta) -> set[str]:
        return set(self._session.exec(select(WorkerRow.id).where(*self._living(lease), col(WorkerRow.runs) > 0)))

    def capacity(self, *, lease: timedelta) -> int:
        return self._session.exec(select(sa.func.sum(WorkerRow.runs)).where(*self._living(lease))).one() or 0

    def _living(self, lease: timedelta) -> tuple[bool, bool]:
        """The query conditions for workers with a current lease."""
        return WorkerRow.alive, WorkerRow.beat >= self._clock() - lease.total_seconds()

    def unburied(self) -> set[str]:
        return set(self._session.exec(select(WorkerRow.id).where(WorkerRow.alive)))
