"""Backups as their steps report them, drills with their evidence, and the ledger of canaries."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from orchestrator.adapters.database import mapping
from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import (
    CanaryRow,
    DrillRow,
    HeldBackupRow,
    NewestBackupRow,
    PlanRow,
    RunRow,
    StepRow,
    metadata,
)
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.recovery.canary import Canary
from orchestrator.domain.recovery.drills import STOPPED, Drill, DrillState
from orchestrator.domain.recovery.held_backups import HeldBackups
from orchestrator.domain.recovery.verdict import Moment
from orchestrator.domain.runs.run import StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.recovery import TakenBackup


class BackupRepository(Repository):
    def newest(self, agency: str, component: str, *, limit: int = 100) -> list[TakenBackup]:
        query = (
            self._taken()
            .where(col(RunRow.agency) == agency, col(StepRow.component) == component)
            .order_by(col(StepRow.started_at).desc())
            .limit(limit)
        )
        return [TakenBackup._make(row) for row in self._session.execute(query)][::-1]

    def last_of_all(self) -> dict[tuple[str, str], datetime]:
        row = NewestBackupRow
        found: Any = self._session.execute(sa.select(*map(col, (row.agency, row.component, row.started_at))))
        return {(agency, component): started_at for agency, component, started_at in found}

    def taken(self, agency: str) -> bool:
        found = self._session.exec(select(NewestBackupRow).where(NewestBackupRow.agency == agency).limit(1))
        return found.first() is not None

    def hold(self, held: HeldBackups) -> None:
        self._upsert(metadata.tables["held_backup"], [held.model_dump()])

    def held(self, agency: str | None = None) -> list[HeldBackups]:
        query = select(HeldBackupRow).order_by(col(HeldBackupRow.until), col(HeldBackupRow.agency))
        if agency is not None:
            query = query.where(HeldBackupRow.agency == agency)
        return [HeldBackups.model_validate(row.model_dump()) for row in self._session.exec(query)]

    def let_go(self, agency: str, hosts: Sequence[str]) -> None:
        mine = (col(HeldBackupRow.agency) == agency, col(HeldBackupRow.host).in_(hosts))
        self._run(sa.delete(HeldBackupRow).where(*mine))

    def forget_of(self, agency: str) -> None:
        self._run(sa.delete(NewestBackupRow).where(col(NewestBackupRow.agency) == agency))

    def forget(self, *, before: datetime, limit: int) -> int:
        old = (
            col(RunRow.purpose).in_((Purpose.BACKUP, Purpose.DRIFT, Purpose.VERIFY)),
            col(RunRow.finished_at) < before,
        )
        rows = self._session.execute(sa.select(col(RunRow.id), col(RunRow.plan)).where(*old).limit(limit)).all()
        runs, plans = [row[0] for row in rows], [row[1] for row in rows]
        self._run(sa.delete(StepRow).where(col(StepRow.run).in_(runs)))
        self._run(sa.delete(RunRow).where(col(RunRow.id).in_(runs)))
        self._run(sa.delete(PlanRow).where(col(PlanRow.id).in_(plans)))
        return len(rows)

    def _taken(self) -> Any:
        backup = (col(RunRow.agency), col(StepRow.component), col(StepRow.started_at), col(StepRow.finished_at))
        query = sa.select(*backup, col(RunRow.id)).join_from(StepRow, RunRow, col(RunRow.id) == col(StepRow.run))
        return query.where(col(StepRow.verb) == Verb.BACKUP, col(StepRow.state) == StepState.SUCCEEDED)


class DrillRepository(Repository):
    def add(self, drill: Drill) -> Drill:
        row = mapping.drill_row(drill)
        row.id = None
        self._session.add(row)
        try:
            self._session.flush()
        except sa.exc.IntegrityError as error:
            raise OrchestratorError(Kind.CONFLICT, f"the drill {drill.key} already exists") from error
        return mapping.drill(row)

    def put(self, drill: Drill) -> None:
        row = self._session.get(DrillRow, drill.id)
        assert row is not None
        row.sqlmodel_update(mapping.drill_row(drill).model_dump(exclude=mapping.SEALED))
        self._session.add(row)
        self._session.flush()

    def get(self, drill: int) -> Drill | None:
        row = self._session.get(DrillRow, drill)
        return mapping.drill(row) if row else None

    def by_key(self, key: str) -> Drill | None:
        row = self._session.exec(select(DrillRow).where(DrillRow.key == key)).one_or_none()
        return mapping.drill(row) if row else None

    def of_run(self, run: int) -> Drill | None:
        row = self._session.exec(select(DrillRow).where(DrillRow.run == run)).one_or_none()
        return mapping.drill(row) if row else None

    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Drill]:
        query = select(DrillRow).order_by(col(DrillRow.id).desc()).limit(limit)
        if agency is not None:
            query = query.where(DrillRow.agency == agency)
        return [mapping.drill(r) for r in self._session.exec(query)]

    def in_state(self, *states: DrillState) -> list[Drill]:
        query = select(DrillRow).where(col(DrillRow.state).in_(states)).order_by(col(DrillRow.scheduled_at))
        return [mapping.drill(r) for r in self._session.exec(query)]

    def durations(self, agency: str | None = None) -> dict[tuple[str, str], tuple[timedelta, ...]]:
        query = (
            sa.select(col(DrillRow.agency), col(DrillRow.component), col(RunRow.seconds))
            .join_from(DrillRow, RunRow, col(RunRow.id) == col(DrillRow.run))
            .where(col(DrillRow.verdict).is_not(None), col(DrillRow.state).not_in(STOPPED))
            .where(col(RunRow.seconds).is_not(None))
            .order_by(col(DrillRow.id))
        )
        if agency is not None:
            query = query.where(col(DrillRow.agency) == agency)
        took: dict[tuple[str, str], tuple[timedelta, ...]] = {}
        for row in self._session.execute(query):
            whose = (str(row[0]), str(row[1]))
            took[whose] = (*took.get(whose, ()), timedelta(seconds=float(row[2])))
        return took

    def scheduled_since(self, instant: datetime, *, agency: str | None = None) -> list[Drill]:
        due = (col(DrillRow.scheduled_at) >= instant, col(DrillRow.moment) != Moment.NOW)
        query = select(DrillRow).where(*due).order_by(col(DrillRow.scheduled_at))
        if agency is not None:
            query = query.where(DrillRow.agency == agency)
        return [mapping.drill(r) for r in self._session.exec(query)]

    def keep_evidence(self, drill: int, document: str, digest: str) -> None:
        mine = col(DrillRow.id) == drill
        place = self.count_evidence() + 1
        self._run(
            sa.update(DrillRow).where(mine).values(evidence=document, evidence_digest=digest, evidence_number=place)
        )

    def evidence(self, drill: int) -> str | None:
        return self._session.exec(select(DrillRow.evidence).where(DrillRow.id == drill)).one_or_none()

    def last_evidence(self) -> str | None:
        query = select(DrillRow.evidence_digest).where(col(DrillRow.evidence_number).is_not(None))
        return self._session.exec(query.order_by(col(DrillRow.evidence_number).desc()).limit(1)).first()

    def count_evidence(self) -> int:
        return self._session.exec(select(sa.func.max(col(DrillRow.evidence_number)))).one() or 0


class CanaryRepository(Repository):
    def last(self, agency: str, component: str) -> Canary | None:
        query = select(CanaryRow).where(CanaryRow.agency == agency, CanaryRow.component == component)
        row = self._session.exec(query.order_by(col(CanaryRow.number).desc())).first()
        return _canary(row) if row else None

    def of(self, agency: str, component: str) -> list[Canary]:
        query = select(CanaryRow).where(CanaryRow.agency == agency, CanaryRow.component == component)
        return [_canary(row) for row in self._session.exec(query.order_by(col(CanaryRow.number)))]

    def put(self, agency: str, component: str, canary: Canary) -> None:
        reading = canary.reading.model_dump() if canary.reading else {}
        plain = canary.model_dump(exclude={"reading"})
        self._session.merge(CanaryRow(agency=agency, component=component, **plain, **reading))
        self._session.flush()

    def forget(self, agency: str, component: str, *, up_to: int | None = None, after: int | None = None) -> None:
        which = [col(CanaryRow.agency) == agency, col(CanaryRow.component) == component]
        if up_to is not None:
            which.append(col(CanaryRow.number) <= up_to)
        if after is not None:
            which.append(col(CanaryRow.number) > after)
        self._run(sa.delete(CanaryRow).where(*which))


def _canary(row: CanaryRow) -> Canary:
    plain = row.model_dump(exclude={"agency", "component", "boot", "seconds"})
    reading = None if row.boot is None else {"boot": row.boot, "seconds": row.seconds}
    return Canary.model_validate({**plain, "reading": reading})
