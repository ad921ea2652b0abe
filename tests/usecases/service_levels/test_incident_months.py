"""Incidents across months that are closed, restated and agreed differently: each is judged in one of them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.calendars.spans import instant_at
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.domain.service_levels.terms import ServiceTerms
from orchestrator.usecases.service_levels.closing import MonthEnd
from tests.domain.service_levels.vectors import LONDON, london
from tests.usecases.conftest import House
from tests.usecases.service_levels.test_service_levels import AGENCY, Contract

MONTHS = [CalendarMonth.named(name) for name in ("2026-12", "2027-01", "2027-02", "2027-03")]
BEGIN, END = london("2026-12-01T09:00"), london("2027-04-01T00:00")
HOUR = timedelta(hours=1)
PRIORITIES = ("p1", "p2", "p3", "p4")


@dataclass
class Renegotiated:
    """The catalogue, but for what the agreement says of incidents in this moment."""

    source: Any
    incidents: Mapping[str, Any]

    def agreements(self) -> dict[str, FrameworkAgreement]:
        agreed = self.source.agreements()["trial"]
        told = agreed.service_levels.model_dump() | {"incidents": self.incidents}
        terms = ServiceTerms.model_validate(told)
        return {"trial": agreed.model_copy(update={"service_levels": terms})}

    def catalog(self) -> Any:
        return self.source.catalog()


def targets(chance: random.Random) -> dict[str, Any]:
    return {p: {"response": HOUR, "fix": HOUR * chance.choice((1, 4, 10, 20, 50, 90))} for p in PRIORITIES}


def told(chance: random.Random, priority: str) -> Incident:
    """Reported within these months; some are answered and some fixed, at whatever time, at once or months later."""
    reported = BEGIN + HOUR * chance.randrange(80 * 24)
    fixed = chance.choice((None, HOUR * chance.randrange(100), HOUR * chance.randrange(1500)))
    answered = chance.choice((None, HOUR * chance.randrange(3), HOUR * chance.randrange(1500)))
    return Incident.model_validate(
        {
            "priority": priority,
            "reported_at": reported,
            "responded_at": None if answered is None else reported + answered,
            "fixed_at": None if fixed is None else reported + fixed,
        }
    )


@dataclass
class History:
    contract: Contract
    chance: random.Random

    def __post_init__(self) -> None:
        self.source = Renegotiated(self.contract.judging.source, targets(self.chance))
        self.judging = replace(self.contract.judging, source=self.source)
        self.month_end = MonthEnd(store=self.contract.house.store, judging=self.judging)
        self.incidents = {priority: told(self.chance, priority) for priority in PRIORITIES}
        self.closed: list[CalendarMonth] = []

    def live(self) -> None:
        """Days pass, the desk is asked or is not, months are closed late and again, and terms change."""
        for day in range(0, 125, 3):
            now = max(BEGIN + day * 24 * HOUR, self.contract.house.clock.now())
            self.contract.house.clock.time = now
            if self.chance.random() < 0.7:
                self.gather(now)
            over = [month for month in MONTHS if now >= instant_at(month.span(LONDON).end)]
            if len(self.closed) < len(over) and self.chance.random() < 0.4:
                self.closed.append(over[len(self.closed)])
                self.close(self.closed[-1])
            elif self.closed and self.chance.random() < 0.2:
                self.close(self.chance.choice(self.closed))
            if self.chance.random() < 0.1:
                self.source.incidents = targets(self.chance)

    def settle(self) -> None:
        """All is known, and every month is closed once more."""
        self.contract.house.clock.time = END + 60 * 24 * HOUR
        self.gather(self.contract.house.clock.time)
        for month in MONTHS:
            self.close(month)
        again = list(MONTHS)
        self.chance.shuffle(again)
        for month in again:
            self.close(month)

    def gather(self, now: datetime) -> None:
        with self.contract.house.store.begin() as tx:
            for number, incident in self.incidents.items():
                if incident.reported_at <= now:
                    tx.incidents.put(AGENCY, number, incident.as_of(now))

    def close(self, month: CalendarMonth) -> None:
        list(self.month_end.close(month))

    def judged_in(self, measure: str) -> list[str]:
        with self.contract.house.store.read() as tx:
            months = tx.months.of(AGENCY)
        results = {str(m.month): m.current.figures.results[measure] for m in months}
        return [month for month, result in results.items() if result.achieved.percent is not None]


@pytest.mark.parametrize("seed", range(12))
def test_an_incident_is_judged_in_one_month_whatever_happens(house: House, seed: int) -> None:
    history = History(Contract(house), random.Random(seed))
    history.live()
    history.settle()
    for priority, incident in history.incidents.items():
        fix, response = (history.judged_in(f"{what}/{priority}") for what in ("incident-fix", "incident-response"))
        assert len(fix) <= 1
        assert len(response) <= 1
        if incident.fixed_at and incident.fixed_at < END:
            assert len(fix) == len(response) == 1, (incident, fix, response)
