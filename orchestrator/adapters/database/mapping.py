"""Conversions between rows and domain values. Rows never leave this package."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestrator.adapters.database.tables import (
    DrillRow,
    EventRow,
    PlanRow,
    RunRow,
    StepRow,
)
from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.events import HAPPENING, Event
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Plan, Step
from orchestrator.domain.recovery.drills import Drill
from orchestrator.domain.runs.run import Counts, Run, StepRecord, StepState
from orchestrator.domain.selling.agreement import CallOff

PENCE = 100


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def agency_row(record: AgencyRecord) -> dict[str, Any]:
    plain = record.model_dump(exclude={"call_off", "committed", "owed", "rates"})
    money = {"committed_pence": int(record.committed * PENCE), "owed_pence": int(record.owed * PENCE)}
    rates = [rate.model_dump(mode="json") for rate in record.rates]
    return {**plain, "call_off": record.call_off.document(), "rates": rates, **money}


def agency(row: Any) -> AgencyRecord:
    plain = row._asdict()
    committed, owed = (Decimal(plain.pop(name)) / PENCE for name in ("committed_pence", "owed_pence"))
    call_off = CallOff.model_validate(plain.pop("call_off"))
    return AgencyRecord(**plain, call_off=call_off, committed=committed, owed=owed)


def instance_row(value: ServiceInstance) -> dict[str, Any]:
    places = {name: {f: list(h) for f, h in getattr(value, name).items()} for name in ("hosts", "elsewhere")}
    return {**value.model_dump(exclude={"hosts", "elsewhere"}), **places, "accounts_from": value.accounts_from}


def instance(row: Any) -> ServiceInstance:
    return ServiceInstance.model_validate(row._asdict())


def allocation(row: Any) -> Allocation:
    return Allocation(
        site=row.site, pool=row.pool, block=row.block, agency=row.agency, name=row.name, holding=row.holding
    )


def plan_row(value: Plan, *, order: CallOff | None, at: datetime) -> PlanRow:
    return PlanRow(
        agency=value.agency,
        digest=value.digest,
        order=order.document() if order else None,
        body=value.model_dump(mode="json"),
        created_at=at,
    )


def stored_plan(row: PlanRow) -> StoredPlan:
    assert row.id is not None
    order = CallOff.model_validate(row.order) if row.order else None
    return StoredPlan(id=row.id, plan=Plan.model_validate(row.body), order=order, created_at=row.created_at)


def run_row(value: Run) -> RunRow:
    plain = value.model_dump(exclude={"hosts"})
    seconds = seconds_between(value.started_at, value.finished_at)
    return RunRow(**plain, hosts=list(value.hosts), due_at=value.due_at, seconds=seconds)


def run(row: RunRow) -> Run:
    return Run.model_validate(row.model_dump(exclude={"seconds", "due_at"}))


def step_row(value: StepRecord, *, run: int, position: int) -> StepRow:
    plain = value.model_dump(exclude={"counts", "placement", "needs"})
    return StepRow(
        **plain,
        **value.counts.model_dump(),
        run=run,
        position=position,
        placement={f: list(h) for f, h in value.placement.items()},
        needs=list(value.needs),
        seconds=seconds_between(value.started_at, value.finished_at),
    )


def new_step(value: Step, *, run: int, position: int) -> dict[str, Any]:
    """The row of a step that has not begun, for a bulk insert."""
    return {
        "run": run,
        "id": value.id,
        "position": position,
        "component": value.component,
        "verb": value.verb,
        "placement": {f: list(h) for f, h in value.placement.items()},
        "needs": list(value.needs),
        "because": value.because,
        "always": value.always,
        "state": StepState.PENDING,
        "attempt": 0,
    }


def step(row: StepRow) -> StepRecord:
    counts = Counts(ok=row.ok, changed=row.changed, failed=row.failed, unreachable=row.unreachable)
    plain = row.model_dump(exclude={"run", "position", "seconds", "ok", "changed", "failed", "unreachable"})
    return StepRecord.model_validate({**plain, "counts": counts})


SEALED = {"evidence", "evidence_digest", "evidence_number"}
"""Columns with the signed evidence, which are not part of the drill's value."""


def drill_row(value: Drill) -> DrillRow:
    plain = value.model_dump(exclude={"approval", "witnesses"})
    witnesses = [witness.model_dump(mode="json") for witness in value.witnesses]
    approval = value.approval.model_dump(mode="json") if value.approval else None
    return DrillRow(**plain, approval=approval, witnesses=witnesses)


def drill(row: DrillRow) -> Drill:
    return Drill.model_validate(row.model_dump(exclude=SEALED))


def event(row: EventRow) -> Event:
    return Event.model_validate({**row.model_dump(exclude={"what"}), "what": HAPPENING.validate_python(row.what)})
