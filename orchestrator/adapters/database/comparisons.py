"""Results of drift checks that still hold, because nothing has changed the service since."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from orchestrator.adapters.database.tables import InstanceRow, RunRow, StepRow
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import StepState
from orchestrator.domain.selling.catalog import Verb


def standing_comparisons(*which: Any) -> Any:
    """(agency, component, run, tasks that would change something) of each service's newest comparison that succeeded
    and began after the service last changed. `which` are conditions on the runs."""
    whose = (col(RunRow.agency), col(StepRow.component))
    succeeded = (col(StepRow.verb) == Verb.COMPARE, col(StepRow.state) == StepState.SUCCEEDED)
    newest = (
        sa.select(*whose, sa.func.max(col(StepRow.run)).label("run"))
        .join_from(RunRow, StepRow, col(StepRow.run) == col(RunRow.id))
        .where(col(RunRow.purpose) == Purpose.DRIFT, *succeeded, *which)
        .group_by(*whose)
        .subquery()
    )
    step = sa.and_(col(StepRow.run) == newest.c.run, col(StepRow.component) == newest.c.component)
    service = sa.and_(
        col(InstanceRow.agency) == newest.c.agency,
        col(InstanceRow.component) == newest.c.component,
        col(InstanceRow.changed_at) <= col(StepRow.started_at),
    )
    found: Any = sa.select(newest.c.agency, newest.c.component, newest.c.run, col(StepRow.changed))
    return found.join_from(newest, StepRow, step).join(InstanceRow, service)
