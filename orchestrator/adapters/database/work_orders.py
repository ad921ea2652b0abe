"""The tickets that runs wait for."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import WorkOrderRow
from orchestrator.domain.runs.work_order import WorkOrder


class WorkOrderRepository(Repository):
    def put(self, order: WorkOrder) -> None:
        self._session.merge(WorkOrderRow(**order.model_dump()))

    def remove(self, run: int, step: str) -> None:
        self._run(sa.delete(WorkOrderRow).where(col(WorkOrderRow.run) == run, col(WorkOrderRow.step) == step))

    def of(self, run: int) -> list[WorkOrder]:
        return self._found(col(WorkOrderRow.run) == run, col(WorkOrderRow.withdrawn).is_(False))

    def all(self) -> list[WorkOrder]:
        return self._found()

    def _found(self, *which: Any) -> list[WorkOrder]:
        order = (col(WorkOrderRow.due_at), col(WorkOrderRow.run), col(WorkOrderRow.step))
        query = select(WorkOrderRow).where(*which).order_by(*order)
        return [WorkOrder.model_validate(row.model_dump()) for row in self._session.exec(query)]
