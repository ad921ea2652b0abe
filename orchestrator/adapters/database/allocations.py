"""Blocks of the sites' pools, and who holds them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from orchestrator.adapters.database import mapping
from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import AllocationRow
from orchestrator.domain.allocation import Allocation, Holding
from orchestrator.domain.errors import Kind, OrchestratorError


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

    def first_gap(self, site: str, pool: str) -> int | None:
        here = (col(AllocationRow.site) == site, col(AllocationRow.pool) == pool)
        position = col(AllocationRow.position)
        counted = sa.select(sa.func.count(), sa.func.count(position), sa.func.min(position), sa.func.max(position))
        row: Any = self._session.execute(counted.where(*here)).one()
        held, known, lowest, highest = row
        if known < held:
            return None
        if not held or lowest > 0:
            return 0
        return int(held if highest == held - 1 else self._behind_first_gap(here, position))

    def _behind_first_gap(self, here: tuple[Any, ...], position: Any) -> Any:
        """The first position behind one that is held, that is not held itself."""
        other = aliased(AllocationRow)
        same_pool = (col(other.site) == AllocationRow.site, col(other.pool) == AllocationRow.pool)
        next_is_held = sa.exists().where(*same_pool, col(other.position) == position + 1)
        return self._session.execute(sa.select(sa.func.min(position) + 1).where(*here, ~next_is_held)).scalar_one()

    def held(self, site: str, pool: str, block: str) -> bool:
        return self._session.get(AllocationRow, (site, pool, block)) is not None

    def add(self, allocation: Allocation, *, at: datetime, position: int | None = None) -> None:
        self._session.add(mapping.allocation_row(allocation, at=at, position=position))
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
