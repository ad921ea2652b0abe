"""The tables. The domain validates rows; what must hold regardless is a constraint here."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from orchestrator.adapters.database.columns import BigId, Instant, Json, Row, one_each, one_of
from orchestrator.adapters.database.columns import metadata as metadata
from orchestrator.adapters.database.recovery_tables import CanaryRow as CanaryRow
from orchestrator.adapters.database.recovery_tables import DrillRow as DrillRow
from orchestrator.adapters.database.recovery_tables import HeldBackupRow as HeldBackupRow
from orchestrator.adapters.database.recovery_tables import NewestBackupRow as NewestBackupRow
from orchestrator.domain.estate.allocation import Holding
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import OPEN_RUN, RunState, StepState
from orchestrator.domain.runs.run_options import OnFailure, Priority
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.service_levels.declaration_kind import DeclarationKind
from orchestrator.domain.service_levels.record import State

_NUMBERED_ONCE = {"sqlite_autoincrement": True}
"""Retention deletes rows of such a table, and people may have noted their numbers, so no number is given again."""

_OPEN = f"state IN ({', '.join(repr(s.value) for s in OPEN_RUN)})"


class InstallationRow(Row, table=True):
    """The installation that the database belongs to. `sealed_id` is its id, sealed by the key that opens all
    secrets."""

    __tablename__ = "installation"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    id: str
    sealed_id: bytes
    __table_args__ = (sa.CheckConstraint("number = 1", name="one_row"),)


class AgencyRow(Row, table=True):
    __tablename__ = "agency"
    id: str = Field(primary_key=True, max_length=20)
    name: str
    framework: str
    site: str = Field(index=True)
    call_off: dict[str, Any] = Field(sa_type=Json)
    committed_pence: int = Field(sa_type=sa.BigInteger)
    rates: list[Any] = Field(default=[], sa_type=Json, sa_column_kwargs={"server_default": "[]"})
    owed_pence: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "0"})
    created_at: datetime = Field(sa_type=Instant)
    offboarded_at: datetime | None = Field(default=None, sa_type=Instant)
    __table_args__ = (sa.Index("ix_agency_commitment", "framework", "offboarded_at", "id", "committed_pence"),)


class CommitmentRow(Row, table=True):
    """What agencies in service have committed to under a framework, plus what agencies that left owe: the sum of their
    rows, updated with every write of one."""

    __tablename__ = "commitment"
    framework: str = Field(primary_key=True)
    pence: int = Field(sa_type=sa.BigInteger)


class InstanceRow(Row, table=True):
    __tablename__ = "service_instance"
    agency: str = Field(primary_key=True, foreign_key="agency.id")
    component: str = Field(primary_key=True)
    tier: str
    quantity: int
    parameters: dict[str, Any] = Field(sa_type=Json)
    hosts: dict[str, Any] = Field(sa_type=Json)
    state: InstanceState = Field(sa_type=one_of(InstanceState, "state"))
    changed_at: datetime = Field(sa_type=Instant)
    error: str | None = None
    accounts_from: str | None = None
    elsewhere: dict[str, Any] = Field(default_factory=dict, sa_type=Json, sa_column_kwargs={"server_default": "{}"})


class AllocationRow(Row, table=True):
    """The primary key ensures that a block belongs to one agency."""

    __tablename__ = "allocation"
    site: str = Field(primary_key=True)
    pool: str = Field(primary_key=True)
    block: str = Field(primary_key=True)
    agency: str = Field(index=True)
    name: str
    holding: Holding = Field(sa_type=one_of(Holding, "holding"))
    at: datetime = Field(sa_type=Instant)
    position: int | None = None
    __table_args__ = (
        sa.UniqueConstraint("site", "agency", "name"),
        sa.Index("ix_allocation_site_pool_position", "site", "pool", "position"),
        sa.Index("ix_allocation_holding_at", "holding", "at"),
    )


class FreedRow(Row, table=True):
    """A position in a pool that was held and is free again, below the highest one."""

    __tablename__ = "freed_position"
    site: str = Field(primary_key=True)
    pool: str = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})


class PlanRow(Row, table=True):
    __tablename__ = "plan"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    agency: str = Field(index=True)
    digest: str
    order: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON(none_as_null=True))
    body: dict[str, Any] = Field(sa_type=Json)
    created_at: datetime = Field(sa_type=Instant, index=True)
    __table_args__ = _NUMBERED_ONCE


class RunRow(Row, table=True):
    __tablename__ = "run"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    agency: str = Field(foreign_key="agency.id", index=True)
    site: str
    purpose: Purpose = Field(sa_type=one_of(Purpose, "purpose"))
    plan: int = Field(foreign_key="plan.id", sa_type=sa.BigInteger, index=True)
    state: RunState = Field(sa_type=one_of(RunState, "state"))
    priority: Priority = Field(sa_type=one_of(Priority, "priority"))
    due_at: datetime = Field(sa_type=Instant)
    on_failure: OnFailure = Field(sa_type=one_of(OnFailure, "on_failure"))
    cause: int | None = Field(default=None, foreign_key="run.id", sa_type=sa.BigInteger, index=True)
    hosts: list[str] = Field(sa_type=Json)
    attempt: int
    cancel_requested: bool = False
    created_at: datetime = Field(sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)
    seconds: float | None = None
    error: str | None = None
    worker: str | None = None
    __table_args__ = (
        one_each("uq_run_open_agency", "agency", where=_OPEN),
        sa.Index("ix_run_state_due_at", "state", "due_at"),
        sa.Index("ix_run_purpose_agency", "purpose", "agency"),
        _NUMBERED_ONCE,
    )


class StepRow(Row, table=True):
    __tablename__ = "step"
    run: int = Field(primary_key=True, foreign_key="run.id", sa_type=sa.BigInteger)
    id: str = Field(primary_key=True)
    position: int
    component: str
    verb: Verb = Field(sa_type=one_of(Verb, "verb"))
    placement: dict[str, Any] = Field(sa_type=Json)
    needs: list[str] = Field(sa_type=Json)
    because: str
    always: bool = False
    state: StepState = Field(sa_type=one_of(StepState, "state"))
    attempt: int
    tries: int = 0
    not_before: datetime | None = Field(default=None, sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)
    seconds: float | None = None
    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    error: str | None = None
    result: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON(none_as_null=True))
    __table_args__ = (sa.Index("ix_step_verb_component", "verb", "component"),)


class EventRow(Row, table=True):
    __tablename__ = "event"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    at: datetime = Field(sa_type=Instant, index=True)
    agency: str
    run: int | None = Field(default=None, sa_type=sa.BigInteger)
    step: str | None = None
    what: dict[str, Any] = Field(sa_type=Json)
    __table_args__ = (
        sa.Index("ix_event_run_id", "run", "id"),
        sa.Index("ix_event_agency_at", "agency", "at"),
        _NUMBERED_ONCE,
    )


class SecretRow(Row, table=True):
    """`next_token` is the secret that replaces this one once hosts have it."""

    __tablename__ = "secret"
    agency: str = Field(primary_key=True)
    component: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    token: bytes
    created_at: datetime = Field(sa_type=Instant)
    next_token: bytes | None = None


class WorkOrderRow(Row, table=True):
    """A ticket that a run waits for, or that has to be withdrawn."""

    __tablename__ = "work_order"
    run: int = Field(primary_key=True, sa_type=sa.BigInteger)
    step: str = Field(primary_key=True)
    agency: str
    component: str
    title: str
    ticket: str
    address: str
    opened_at: datetime = Field(sa_type=Instant)
    at_risk_at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    withdrawn: bool = False


class TickRow(Row, table=True):
    """The primary key ensures that a tick is taken once."""

    __tablename__ = "tick"
    schedule: str = Field(primary_key=True)
    due_at: datetime = Field(primary_key=True, sa_type=Instant)
    taken_at: datetime = Field(sa_type=Instant)


class WorkerRow(Row, table=True):
    """A live worker renews `beat`, in seconds of the database's clock. `runs` is its maximum of concurrent runs."""

    __tablename__ = "worker"
    id: str = Field(primary_key=True)
    host: str
    beat: float = Field(sa_type=sa.Double)
    alive: bool
    runs: int = 0


class TransitionRow(Row, table=True):
    """When the state of a probe changed. Readings in between are not kept."""

    __tablename__ = "transition"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    agency: str
    component: str
    probe: str
    at: datetime = Field(sa_type=Instant)
    state: State = Field(sa_type=one_of(State, "state"))
    detail: str
    __table_args__ = (sa.UniqueConstraint("agency", "component", "probe", "at"),)


class StandingRow(Row, table=True):
    """The current state of a probe, so that nobody has to search all transitions. `every` is in seconds."""

    __tablename__ = "standing"
    agency: str = Field(primary_key=True)
    component: str = Field(primary_key=True)
    probe: str = Field(primary_key=True)
    state: State = Field(sa_type=one_of(State, "state"))
    since: datetime = Field(sa_type=Instant)
    detail: str
    every: float = Field(sa_type=sa.Double)


class ProberRow(Row, table=True):
    """One row: who probes, when it last renewed its lease by the database's clock, and how far it has got by its
    own."""

    __tablename__ = "prober"
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    holder: str | None = None
    beat: float = Field(sa_type=sa.Double)
    read_until: datetime | None = Field(default=None, sa_type=Instant)


class ServicePeriodRow(Row, table=True):
    """The partial index ensures that a component has at most one open period."""

    __tablename__ = "service_period"
    agency: str = Field(primary_key=True, foreign_key="agency.id")
    component: str = Field(primary_key=True)
    began_at: datetime = Field(primary_key=True, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    __table_args__ = (one_each("uq_service_period_open", "agency", "component", where="ended_at IS NULL"),)


class DeclarationRow(Row, table=True):
    """`ends_at` is the actual end, if later than planned. `change` numbers the last change, across all declarations."""

    __tablename__ = "declaration"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    agency: str = Field(foreign_key="agency.id")
    component: str | None = None
    kind: DeclarationKind = Field(sa_type=one_of(DeclarationKind, "kind"))
    starts_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    why: str
    what: dict[str, Any] = Field(sa_type=Json)
    change: int = Field(sa_type=sa.BigInteger, index=True)
    __table_args__ = (sa.Index("ix_declaration_agency_starts_at", "agency", "starts_at"),)


class MeterRow(Row, table=True):
    """A service's meter as last read. Whoever changes the records behind it deletes it."""

    __tablename__ = "meter"
    agency: str = Field(primary_key=True)
    component: str = Field(primary_key=True)
    began: int = Field(sa_type=sa.BigInteger)
    terms: str
    until: int = Field(sa_type=sa.BigInteger)
    state: str
    rule: str
    holds_to: int | None = Field(default=None, sa_type=sa.BigInteger)
    life_due: int = Field(sa_type=sa.BigInteger)
    life_eligible: int = Field(sa_type=sa.BigInteger)
    life_bad: int = Field(sa_type=sa.BigInteger)
    life_unmeasured: int = Field(sa_type=sa.BigInteger)
    month_due: int = Field(sa_type=sa.BigInteger)
    month_eligible: int = Field(sa_type=sa.BigInteger)
    month_bad: int = Field(sa_type=sa.BigInteger)
    month_unmeasured: int = Field(sa_type=sa.BigInteger)


class IncidentRow(Row, table=True):
    __tablename__ = "incident"
    agency: str = Field(primary_key=True, foreign_key="agency.id")
    number: str = Field(primary_key=True)
    reported_at: datetime = Field(sa_type=Instant)
    fixed_at: datetime | None = Field(default=None, sa_type=Instant)
    what: dict[str, Any] = Field(sa_type=Json)
    __table_args__ = (sa.Index("ix_incident_agency_fixed_at", "agency", "fixed_at"),)


class ClosedMonthRow(Row, table=True):
    """One version of a closed month, and the records behind it. Rows are added, never changed."""

    __tablename__ = "closed_month"
    agency: str = Field(primary_key=True, foreign_key="agency.id")
    month: str = Field(primary_key=True, max_length=7)
    version: int = Field(primary_key=True)
    statement: dict[str, Any] = Field(sa_type=Json)
    record: dict[str, Any] = Field(sa_type=Json)


class CountedRow(Row, table=True):
    """The number and total duration of all runs and steps ever with the same labels and a duration in one bucket: at
    most its bound, and more than the previous one. `labels` are joined by slashes, which none contains."""

    __tablename__ = "counted"
    family: str = Field(primary_key=True)
    labels: str = Field(primary_key=True)
    bucket: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    count: int = Field(sa_type=sa.BigInteger)
    microseconds: int = Field(sa_type=sa.BigInteger)
