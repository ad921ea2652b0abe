"""Meters, stored beside the records they were read from."""

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from orchestrator.adapters.database.repository import Repository
from orchestrator.adapters.database.tables import metadata
from orchestrator.domain.service_levels.availability import Unmeasured
from orchestrator.domain.service_levels.meter import Meter, Tally
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.service_levels import KeptMeter

_METER = metadata.tables["meter"]
_TALLIES = ("life", "month")
_KEY = ("agency", "component", "began", "terms", "until", "state", "rule", "holds_to")
_SECONDS = tuple(f"{tally}_{name}" for tally in _TALLIES for name in Tally._fields)
_ALL = sa.select(*(_METER.c[name] for name in (*_KEY, *_SECONDS)))
_STATES, _RULES = {state.value: state for state in State}, {rule.value: rule for rule in Unmeasured}


class MeterRepository(Repository):
    def all(self) -> list[KeptMeter]:
        return [_meter(row) for row in self._session.execute(_ALL)]

    def put(self, meters: Iterable[KeptMeter]) -> None:
        self._upsert(_METER, [_row(kept) for kept in meters])


def forget_meters(session: Session, services: Collection[tuple[str, str]]) -> None:
    """Delete meters that no longer match the records."""
    mine = (_METER.c.agency == sa.bindparam("whose"), _METER.c.component == sa.bindparam("which"))
    session.connection().execute(sa.delete(_METER).where(*mine), [{"whose": a, "which": c} for a, c in services])


def forget_meters_of(session: Session, agency: str) -> None:
    session.connection().execute(sa.delete(_METER).where(_METER.c.agency == agency))


def _row(kept: KeptMeter) -> dict[str, Any]:
    meter = kept.meter
    seconds = {f"{tally}_{name}": n for tally in _TALLIES for name, n in getattr(meter, tally)._asdict().items()}
    return {
        "agency": kept.agency,
        "component": kept.component,
        "began": kept.began,
        "terms": kept.terms,
        "until": meter.until,
        "state": meter.state,
        "rule": meter.rule,
        "holds_to": meter.holds_to,
        **seconds,
    }


def _meter(row: Any) -> KeptMeter:
    agency, component, began, terms, until, state, rule, holds_to, *seconds = row
    life, month = Tally(*seconds[:4]), Tally(*seconds[4:])
    meter = Meter(until, _STATES[state], _RULES[rule], life, month, holds_to)
    return KeptMeter(agency, component, began, terms, meter)
