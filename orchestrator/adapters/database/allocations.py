"""Blocks of the sites' pools, and who holds them.

The lowest free block of a pool is found without counting the blocks held: it is the lowest that was returned, or else
the one after the highest.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from orchestrator.adapters.database import mapping
from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import AllocationRow, metadata
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.allocation import Allocation, Holding

_ALLOCATION, _FREED = metadata.tables["allocation"], metadata.tables["freed_position"]

_OF = sa.select(_ALLOCATION).where(
    _ALLOCATION.c.agency == sa.bindparam("agency"), _ALLOCATION.c.site == sa.bindparam("site")
)


def _in_pool(table: Any) -> tuple[Any, Any]:
    return table.c.site == sa.bindparam("site"), table.c.pool == sa.bindparam("pool")


_GAP = sa.select(
    sa.exists().where(*_in_pool(_ALLOCATION), _ALLOCATION.c.position.is_(None)),
    sa.select(sa.func.min(_FREED.c.position)).where(*_in_pool(_FREED)).scalar_subquery(),
    sa.select(sa.func.max(_ALLOCATION.c.position)).where(*_in_pool(_ALLOCATION)).scalar_subquery(),
)

_HELD = sa.select(sa.exists().where(*_in_pool(_ALLOCATION), _ALLOCATION.c.block == sa.bindparam("block")))
_AROUND = sa.select(
    sa.exists().where(*_in_pool(_FREED), _FREED.c.position == sa.bindparam("position")),
    sa.select(sa.func.max(_ALLOCATION.c.position))
    .where(*_in_pool(_ALLOCATION), _ALLOCATION.c.position < sa.bindparam("position"))
    .scalar_subquery(),
    sa.select(sa.func.max(_FREED.c.position)).where(*_in_pool(_FREED)).scalar_subquery(),
)


class AllocationRepository(Repository):
    def of(self, agency: str, *, site: str) -> dict[str, Allocation]:
        rows = self._session.execute(_OF, {"agency": agency, "site": site})
        return {row.name: mapping.allocation(row) for row in rows}

    def taken(self, site: str, pool: str) -> set[str]:
        return set(
            self._session.exec(
                select(AllocationRow.block).where(AllocationRow.site == site, AllocationRow.pool == pool)
            )
        )

    def first_gap(self, site: str, pool: str) -> int | None:
        found: Any = self._session.execute(_GAP, {"site": site, "pool": pool}).one()
        unknown, freed, highest = found
        if unknown:
            return None
        return int(freed) if freed is not None else 0 if highest is None else int(highest) + 1

    def held(self, site: str, pool: str, block: str) -> bool:
        return bool(self._session.execute(_HELD, {"site": site, "pool": pool, "block": block}).scalar_one())

    def add(self, allocation: Allocation, *, at: datetime, position: int | None = None) -> None:
        try:
            self._session.execute(sa.insert(_ALLOCATION), {**allocation.model_dump(), "at": at, "position": position})
        except sa.exc.IntegrityError as error:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{allocation.block} of {allocation.pool} has just been taken by somebody else",
                hint="plan again",
            ) from error
        if position is not None:
            self._take_position(allocation.site, allocation.pool, position)

    def hold(self, agency: str) -> None:
        self._run(sa.update(_ALLOCATION).where(_ALLOCATION.c.agency == agency).values(holding=Holding.HELD))

    def release(self, agency: str, names: Iterable[str]) -> None:
        self._delete(col(AllocationRow.agency) == agency, col(AllocationRow.name).in_(list(names)))

    def give_up(self, agency: str, names: Iterable[str]) -> None:
        reserved = col(AllocationRow.holding) == Holding.RESERVED
        self._delete(col(AllocationRow.agency) == agency, col(AllocationRow.name).in_(list(names)), reserved)

    def forget_reserved(self, *, before: datetime) -> None:
        self._delete(col(AllocationRow.holding) == Holding.RESERVED, col(AllocationRow.at) < before)

    def _delete(self, *which: Any) -> None:
        """Return blocks to their pools."""
        gone = sa.delete(_ALLOCATION).where(*which)
        returned = gone.returning(_ALLOCATION.c.site, _ALLOCATION.c.pool, _ALLOCATION.c.position)
        rows = [row._asdict() for row in self._session.execute(returned)]
        self._insert_new(_FREED, [row for row in rows if row["position"] is not None])

    def _take_position(self, site: str, pool: str, position: int) -> None:
        """Mark a position as taken. If it is beyond the highest so far, the positions that it skips become free."""
        here = {"site": site, "pool": pool, "position": position}
        found: Any = self._session.execute(_AROUND, here).one()
        freed, *known = found
        if freed:
            mine = (_FREED.c.site == site, _FREED.c.pool == pool, _FREED.c.position == position)
            self._run(sa.delete(_FREED).where(*mine))
            return
        first = 1 + max((highest for highest in known if highest is not None), default=-1)
        self._insert_new(_FREED, [{**here, "position": p} for p in range(first, position)])
