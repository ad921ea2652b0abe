"""The tables of recovery: drills, canaries, backups."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from orchestrator.adapters.database.columns import BigId, Instant, Row, one_of
from orchestrator.domain.recovery.drills import DrillState
from orchestrator.domain.recovery.verdict import Moment, Verdict


class DrillRow(Row, table=True):
    """The key makes each drill unique. `evidence` is the document exactly as signed."""

    __tablename__ = "drill"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    key: str = Field(unique=True)
    agency: str = Field(foreign_key="agency.id")
    component: str
    site: str
    moment: Moment = Field(sa_type=one_of(Moment, "moment"))
    meant: Moment | None = Field(default=None, sa_type=one_of(Moment, "meant"))
    disaster_at: datetime | None = Field(default=None, sa_type=Instant)
    state: DrillState = Field(sa_type=one_of(DrillState, "state"), index=True)
    scheduled_at: datetime = Field(sa_type=Instant)
    window_end: datetime | None = Field(default=None, sa_type=Instant)
    requested_by: str
    plan: int | None = Field(default=None, foreign_key="plan.id", sa_type=sa.BigInteger)
    plan_digest: str | None = None
    approval: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON(none_as_null=True))
    witnesses: list[dict[str, Any]] = Field(default_factory=list, sa_type=sa.JSON)
    run: int | None = Field(default=None, foreign_key="run.id", sa_type=sa.BigInteger, index=True)
    created_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)
    verdict: Verdict | None = Field(default=None, sa_type=one_of(Verdict, "verdict"))
    rto_seconds: float | None = None
    rpo_seconds: float | None = None
    reason: str | None = None
    evidence: str | None = Field(default=None, sa_type=sa.Text)
    evidence_digest: str | None = None
    evidence_number: int | None = Field(default=None, unique=True)
    """Its place in the chain, starting at 1. Clocks may be set, so times do not show it."""
    __table_args__ = (sa.Index("ix_drill_agency_component", "agency", "component"),)


class CanaryRow(Row, table=True):
    """The ledger of canaries: what was sent, and what the service acknowledged."""

    __tablename__ = "canary"
    agency: str = Field(primary_key=True)
    component: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    code: str
    sent_at: datetime = Field(sa_type=Instant)
    acknowledged_at: datetime | None = Field(default=None, sa_type=Instant)
    boot: str | None = None
    seconds: float | None = None
    """The stopwatch's reading, and the boot that it counts from."""
    host_offset_seconds: float | None = None


class NewestBackupRow(Row, table=True):
    """When the newest successful backup of a component began."""

    __tablename__ = "newest_backup"
    agency: str = Field(primary_key=True)
    component: str = Field(primary_key=True)
    started_at: datetime = Field(sa_type=Instant)


class HeldBackupRow(Row, table=True):
    """A repository that accepts no more backups and is kept until a given day."""

    __tablename__ = "held_backup"
    agency: str = Field(primary_key=True, foreign_key="agency.id")
    host: str = Field(primary_key=True)
    site: str
    function: str
    since: datetime = Field(sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
