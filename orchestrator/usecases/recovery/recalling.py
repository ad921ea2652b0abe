"""Recalling: what people, scripts and dashboards see of drills. Reads only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.recovery.drills import Drill, DrillState
from orchestrator.domain.recovery.evidence import Approval, Witness
from orchestrator.domain.recovery.verdict import Moment, Verdict
from orchestrator.domain.value import Value
from orchestrator.ports.store import Store
from orchestrator.usecases.finding import find_agency, find_drill


class DrillView(Value):
    """A drill. The fields from `rto` on come from its evidence; None as long as there is none."""

    drill: int
    agency: str
    component: str
    site: str
    state: DrillState
    verdict: Verdict | None
    reason: str | None
    moment: Moment
    scheduled_at: datetime
    requested_by: str
    meant: Moment | None = None
    approval: Approval | None
    witnesses: tuple[Witness, ...] = ()
    run: int | None
    finished_at: datetime | None
    rto_seconds: float | None
    rpo_seconds: float | None
    rto: Mapping[str, Any] | None = None
    rpo: Mapping[str, Any] | None = None
    integrity: Mapping[str, Any] | None = None
    isolation: Mapping[str, Any] | None = None
    cleanup: Mapping[str, Any] | None = None
    findings: tuple[Mapping[str, Any], ...] = ()


PARTS = ("rto", "rpo", "integrity", "isolation", "cleanup", "findings")


def drill_view(drill: Drill, evidence: Mapping[str, Any] | None = None) -> DrillView:
    same = drill.model_dump(exclude={"id", "key", "window_end", "disaster_at", "plan", "plan_digest", "created_at"})
    return DrillView(**same, drill=drill.id, **{part: evidence[part] for part in PARTS} if evidence else {})


@dataclass(frozen=True)
class Recalling:
    store: Store

    def drills(self, *, agency: str | None = None, limit: int = 50) -> list[DrillView]:
        """Drills, newest first, without the fields from their evidence."""
        with self.store.read() as tx:
            if agency is not None:
                find_agency(tx, agency)
            return [drill_view(drill) for drill in tx.drills.newest(agency=agency, limit=limit)]

    def drill(self, drill_id: int) -> DrillView:
        with self.store.read() as tx:
            drill, document = find_drill(tx, drill_id), tx.drills.evidence(drill_id)
        return drill_view(drill, json.loads(document)["evidence"] if document else None)

    def evidence(self, drill_id: int) -> str:
        """The signed document of a drill, as it was signed."""
        with self.store.read() as tx:
            drill, document = find_drill(tx, drill_id), tx.drills.evidence(drill_id)
        if document is None:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"drill {drill_id} has no evidence: it is {drill.state.replace('_', ' ')}",
                hint=f"see: orchestrator drill show {drill_id}",
            )
        return document
