"""Transitions of probes, the standing of each, and the lease of the one process that probes."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from orchestrator.adapters.database.metering import forget_meters
from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import ProberRow, StandingRow, TransitionRow
from orchestrator.domain.probing.readings import ProbeKey, Standing, StateChange
from orchestrator.domain.service_levels.record import State, Timeline, Transition
from orchestrator.ports.probing import KeptStanding

_KEY = (col(TransitionRow.agency), col(TransitionRow.component), col(TransitionRow.probe))
_CHANGE = (col(TransitionRow.at), col(TransitionRow.state), col(TransitionRow.detail))
_NAMES = ("agency", "component", "probe")


class TransitionRepository(Repository):
    def record(self, changes: Sequence[tuple[ProbeKey, StateChange]]) -> None:
        if changes:
            rows = [key._asdict() | change._asdict() for key, change in changes]
            self._session.execute(sa.insert(TransitionRow), rows)
            forget_meters(self._session, {(key.agency, key.component) for key, _ in changes})

    def keep(self, standings: Iterable[KeptStanding]) -> None:
        rows = [
            {**key._asdict(), **_plain(standing), "every": every.total_seconds()} for key, every, standing in standings
        ]
        if rows:
            dialect = import_module(f"sqlalchemy.dialects.{self._session.get_bind().dialect.name}")
            statement = dialect.insert(StandingRow)
            changing = {name: statement.excluded[name] for name in ("state", "since", "detail", "every")}
            self._session.execute(statement.on_conflict_do_update(index_elements=_NAMES, set_=changing), rows)

    def standings(self, agency: str | None = None) -> list[KeptStanding]:
        row = StandingRow
        query = sa.select(
            *map(col, (row.agency, row.component, row.probe, row.every, row.state, row.since, row.detail))
        )
        if agency is not None:
            query = query.where(col(row.agency) == agency)
        found = self._session.execute(query)
        return [KeptStanding(ProbeKey(*r[:3]), timedelta(seconds=r[3]), Standing(*r[4:])) for r in found]

    def between(self, agency: str, component: str, start: datetime, end: datetime) -> dict[str, Timeline]:
        mine = _of(agency, component)
        before = sa.select(col(TransitionRow.probe), sa.func.max(col(TransitionRow.at)).label("at"))
        last = before.where(*mine, col(TransitionRow.at) <= start).group_by(col(TransitionRow.probe)).subquery()
        in_force = sa.exists().where(last.c.probe == col(TransitionRow.probe), last.c.at == col(TransitionRow.at))
        within = sa.and_(col(TransitionRow.at) > start, col(TransitionRow.at) < end)
        return self._timelines(*mine, sa.or_(within, in_force))

    def of(self, agencies: Collection[str]) -> dict[tuple[str, str], dict[str, Timeline]]:
        query = sa.select(*_KEY, *_CHANGE[:2]).where(col(TransitionRow.agency).in_(agencies))
        found: dict[tuple[str, str], dict[str, list[Transition]]] = {}
        for row in self._session.execute(query.order_by(*_KEY, col(TransitionRow.at))):
            parts = found.setdefault((str(row[0]), str(row[1])), {})
            parts.setdefault(str(row[2]), []).append(Transition(at=row[3], state=row[4]))
        return {service: {probe: tuple(part) for probe, part in parts.items()} for service, parts in found.items()}

    def changes(self, after: int) -> list[tuple[int, str, str]]:
        query = sa.select(col(TransitionRow.id), *_KEY[:2]).where(col(TransitionRow.id) > after)
        return [(int(row[0]), str(row[1]), str(row[2])) for row in self._session.execute(query)]

    def last_change(self) -> int:
        return self._session.exec(select(sa.func.max(TransitionRow.id))).one() or 0

    def probed(self) -> list[tuple[str, str]]:
        query = sa.select(col(StandingRow.agency), col(StandingRow.component)).distinct()
        return [(str(row[0]), str(row[1])) for row in self._session.execute(query)]

    def _timelines(self, *which: Any) -> dict[str, Timeline]:
        query = sa.select(col(TransitionRow.probe), *_CHANGE[:2]).where(*which)
        found: dict[str, list[Transition]] = {}
        for row in self._session.execute(query.order_by(col(TransitionRow.at))):
            found.setdefault(str(row[0]), []).append(Transition(at=row[1], state=row[2]))
        return {probe: tuple(transitions) for probe, transitions in found.items()}


def _of(agency: str, component: str) -> tuple[Any, ...]:
    return col(TransitionRow.agency) == agency, col(TransitionRow.component) == component


def _plain(standing: Standing) -> dict[str, State | datetime | str]:
    return {"state": standing.state, "since": standing.since, "detail": standing.detail}


class ProberRepository(Repository):
    """Each call is one statement outside the writers' queue: signs of life must not wait for a long plan."""

    def take(self, holder: str, *, lease: timedelta) -> bool:
        now = self._clock()
        free = sa.or_(col(ProberRow.holder) == holder, col(ProberRow.beat) < now - lease.total_seconds())
        return self._run(sa.update(ProberRow).where(free).values(holder=holder, beat=now)) == 1

    def beat(self, holder: str, *, read_until: datetime) -> bool:
        mine = col(ProberRow.holder) == holder
        return self._run(sa.update(ProberRow).where(mine).values(beat=self._clock(), read_until=read_until)) == 1

    def leave(self, holder: str) -> None:
        self._run(sa.update(ProberRow).where(col(ProberRow.holder) == holder).values(holder=None, beat=0.0))

    def read_until(self) -> datetime | None:
        return self._session.exec(select(ProberRow.read_until)).one()
