"""The counters of service levels as scrapes see them, over the records of a store."""

import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from orchestrator.domain.calendars.spans import second_of
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.probing.readings import ProbeKey
from orchestrator.domain.service_levels.declaration_kind import DeclarationKind
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import ServiceLevelFigures
from orchestrator.ports.service_levels import KeptMeter
from orchestrator.ports.store import Transaction
from orchestrator.usecases.service_levels.contracts import Contracts
from orchestrator.usecases.service_levels.metering import Metering
from tests.domain.service_levels.vectors import LONDON, is_bank_holiday, london
from tests.usecases.conftest import order
from tests.usecases.service_levels.test_service_levels import AGENCY, Contract, contract

__all__ = ["contract"]

HOUR = 3600.0


def scrape(contract: Contract, wall: str) -> ServiceLevelFigures:
    """At that time, probes having been read until then."""
    contract.at(wall)
    return contract.house.observing.snapshot().service_levels


def afresh(contract: Contract) -> ServiceLevelFigures:
    """By another process, that has just begun."""
    with contract.house.store.read() as tx:
        return afresh_metering(contract).figures(tx)


class WithoutMeters:
    """A transaction that finds no meters."""

    def __init__(self, tx: Transaction) -> None:
        self.tx, self.meters = tx, self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tx, name)

    def all(self) -> list[KeptMeter]:
        return []


def from_history(contract: Contract) -> ServiceLevelFigures:
    """By a process that finds no meters."""
    with contract.house.store.read() as tx:
        return afresh_metering(contract).figures(WithoutMeters(tx))


def afresh_metering(contract: Contract) -> Metering:
    return Metering(Contracts(contract.house.planning.source, is_bank_holiday, holidays="2026"))


def of_alpha(figures: ServiceLevelFigures) -> dict[str, float]:
    return {
        name: value for name in figures._fields for a, c, value in getattr(figures, name) if (a, c) == (AGENCY, "alpha")
    }


def test_counters_advance_in_service_hours_only(contract: Contract) -> None:
    """In service since Tuesday 1 December, 08:00; down from Wednesday 17:00 to Thursday 09:00."""
    tuesday = of_alpha(scrape(contract, "2026-12-01T12:00"))
    assert tuesday["eligible_seconds"] == pytest.approx(4 * HOUR, abs=60)
    assert (tuesday["bad_seconds"], tuesday["availability"], tuesday["target"]) == (0, 1, 0.99)
    contract.becomes("alpha", "2026-12-02T17:00", State.DOWN)
    night = of_alpha(scrape(contract, "2026-12-02T23:00"))
    assert night["bad_seconds"] == HOUR
    assert of_alpha(scrape(contract, "2026-12-03T07:59"))["bad_seconds"] == HOUR
    contract.becomes("alpha", "2026-12-03T09:00", State.UP)
    thursday = of_alpha(scrape(contract, "2026-12-03T18:00"))
    assert thursday["bad_seconds"] == 2 * HOUR
    assert thursday["eligible_seconds"] == pytest.approx(30 * HOUR, abs=60)
    assert thursday["coverage"] == pytest.approx(1, abs=0.01)


def test_counters_survive_a_restart_and_the_end_of_the_month(contract: Contract) -> None:
    contract.down("alpha", "2026-12-10T09:00", "2026-12-10T16:00")
    later = scrape(contract, "2027-01-04T12:00")
    assert afresh(contract) == later
    assert of_alpha(later)["bad_seconds"] == 7 * HOUR
    assert of_alpha(later)["availability"] == 1, "January is young"


def test_accepted_maintenance_stops_the_clock(contract: Contract) -> None:
    number = contract.declare(DeclarationKind.MAINTENANCE, "alpha", "2026-12-10T09:00", "2026-12-10T12:00")
    contract.declaring.accept(number, by="Jo Bloggs")
    before = of_alpha(scrape(contract, "2026-12-10T09:00"))
    contract.becomes("alpha", "2026-12-10T09:30", State.DOWN)
    during = of_alpha(scrape(contract, "2026-12-10T11:00"))
    assert (during["eligible_seconds"], during["bad_seconds"]) == (before["eligible_seconds"], 0)
    after = of_alpha(scrape(contract, "2026-12-10T13:00"))
    assert after["bad_seconds"] == HOUR
    assert after["eligible_seconds"] == before["eligible_seconds"] + HOUR


def test_a_late_exclusion_changes_the_month_but_no_counter(contract: Contract) -> None:
    contract.down("alpha", "2026-12-10T09:00", "2026-12-10T16:00")
    before = of_alpha(scrape(contract, "2026-12-11T12:00"))
    number = contract.declare(DeclarationKind.EXCLUSION, "alpha", "2026-12-10T09:00", "2026-12-10T16:00")
    contract.declaring.accept(number, by="Jo Bloggs")
    after = of_alpha(scrape(contract, "2026-12-11T12:00"))
    assert after["bad_seconds"] == before["bad_seconds"] == 7 * HOUR
    assert before["availability"] < after["availability"] == 1


def test_a_service_without_probes_does_not_count(contract: Contract) -> None:
    known = scrape(contract, "2026-12-01T12:00")
    contract.house.clock.turn(hours=3)
    assert contract.house.observing.snapshot().service_levels == known


def test_a_retired_service_has_no_counters(contract: Contract) -> None:
    contract.at("2026-12-10T12:00")
    plan = contract.house.planning.plan_offboarding(AGENCY)
    contract.house.drive(contract.house.provisioning.open_run(plan.id))
    assert scrape(contract, "2026-12-10T13:00").eligible_seconds == ()


@pytest.mark.parametrize("seed", range(5))
def test_counters_never_fall_and_are_what_another_process_would_count(contract: Contract, seed: int) -> None:
    """Hours, days and weeks apart, with or without a change in between."""
    chance, now, scraped = random.Random(seed), london("2026-12-01T09:00"), []
    for _ in range(25):
        now += timedelta(seconds=chance.choice((45, 3600, 86_400, 700_000)))
        if chance.random() < 0.6:
            key = ProbeKey(AGENCY, chance.choice(("alpha", "beta")), chance.choice(("tcp", "dns")))
            contract.probed(key, now, chance.choice(list(State)))
        now += timedelta(seconds=chance.randrange(1, 40))
        scraped.append(scrape(contract, f"{now.astimezone(LONDON):%Y-%m-%dT%H:%M:%S}"))
        assert afresh(contract) == scraped[-1]
    for before, after in pairwise(scraped):
        for counter in ("eligible_seconds", "bad_seconds"):
            assert all(a[2] <= b[2] for a, b in zip(getattr(before, counter), getattr(after, counter), strict=True))


@dataclass
class Chance:
    """Something that may happen to an agency's services, now, before or later."""

    contract: Contract
    chance: random.Random
    now: datetime
    _changed: set[tuple[ProbeKey, datetime]] = field(default_factory=set)
    _declared: list[int] = field(default_factory=list)

    def happen(self) -> None:
        self.chance.choice((self.change, self.declare, self.accept, self.accept, self.end, self.buy))()

    def change(self) -> None:
        """Mostly just now, but the prober may be a little ahead, and silences are told late."""
        key = ProbeKey(AGENCY, self.chance.choice(("alpha", "beta")), self.chance.choice(("tcp", "dns")))
        at = self.now + timedelta(seconds=self.chance.choice((-7_000, -1, 0, 0, 1, 30)))
        if (key, at) not in self._changed:
            self._changed.add((key, at))
            self.contract.probed(key, at, self.chance.choice(list(State)))

    def declare(self) -> None:
        start = self.now + timedelta(seconds=self.chance.choice((-4_000_000, -90_000, -30_000, 60, 86_400, 700_000)))
        end = start + timedelta(seconds=self.chance.choice((60, 3600, 86_400)))
        component = self.chance.choice(("alpha", "beta", None))
        kind, edges = (
            self.chance.choice(list(DeclarationKind)),
            [f"{at:%Y-%m-%dT%H:%M:%S+00:00}" for at in (start, end)],
        )
        self._declared.append(self.contract.declare(kind, component, *edges))

    def accept(self) -> None:
        with suppress(IndexError, OrchestratorError):
            self.contract.declaring.accept(self.chance.choice(self._declared[-3:]), by="Jo Bloggs")

    def end(self) -> None:
        with suppress(IndexError, OrchestratorError):
            self.contract.declaring.end(self.chance.choice(self._declared))

    def buy(self) -> None:
        """Another tier, with other hours, or one component less for a while."""
        tier = self.chance.choice(("standard", "large"))
        more = {"beta": {}} if self.chance.random() < 0.7 else {}
        with suppress(OrchestratorError):
            self.contract.house.apply(order(AGENCY, alpha={"tier": tier}, **more))


@pytest.mark.parametrize("seed", range(8))
def test_a_running_process_and_a_restarted_one_both_match_the_history(contract: Contract, seed: int) -> None:
    chance = random.Random(seed)
    world = Chance(contract, chance, london("2026-12-01T09:00"))
    for _ in range(25):
        world.now += timedelta(seconds=chance.choice((1, 45, 3600, 86_400, 700_000)))
        for _ in range(chance.randrange(4)):
            contract.house.clock.time = world.now
            world.happen()
        contract.at(f"{world.now.astimezone(LONDON):%Y-%m-%dT%H:%M:%S}")
        begun = afresh(contract)  # before the other process can keep anything
        assert begun == from_history(contract) == contract.house.observing.snapshot().service_levels


def test_another_tier_or_period_of_service_is_read_again(contract: Contract) -> None:
    """Alpha continues with other hours; beta is gone for two days, in which nothing is scraped."""
    scrape(contract, "2026-12-10T09:00")
    contract.house.apply(order(AGENCY, alpha={"tier": "large"}))
    contract.house.clock.time = london("2026-12-12T09:00")
    contract.house.apply(order(AGENCY, alpha={"tier": "large"}, beta={}))
    contract.at("2026-12-14T12:00")
    begun, told = afresh(contract), from_history(contract)
    assert scrape(contract, "2026-12-14T12:00") == begun == told
    assert {component: eligible < 10 * HOUR for _, component, eligible in told.eligible_seconds} == {
        "alpha": False,
        "beta": True,
    }


def test_a_late_acceptance_counts_in_a_restarted_process(contract: Contract) -> None:
    contract.down("alpha", "2026-12-10T09:00", "2026-12-10T16:00")
    number = contract.declare(DeclarationKind.EXCLUSION, "alpha", "2026-12-10T09:00", "2026-12-10T16:00")
    assert of_alpha(scrape(contract, "2026-12-11T12:00"))["availability"] < 1
    contract.declaring.accept(number, by="Jo Bloggs")
    assert of_alpha(afresh(contract))["availability"] == 1


def test_with_another_edition_of_the_holidays_everything_is_read_again(contract: Contract) -> None:
    scrape(contract, "2026-12-10T12:00")
    closed = Contracts(contract.house.planning.source, lambda day: day == date(2026, 12, 9), holidays="2027")
    with contract.house.store.read() as tx:
        fewer = of_alpha(Metering(closed).figures(tx))
    assert of_alpha(afresh(contract))["eligible_seconds"] - fewer["eligible_seconds"] == 10 * HOUR


def test_a_restarted_process_reads_only_what_has_changed(contract: Contract) -> None:
    scrape(contract, "2026-12-10T09:00")
    contract.becomes("alpha", "2026-12-10T10:00", State.DOWN)
    with contract.house.store.read() as tx:
        assert [kept.component for kept in tx.meters.all()] == ["beta"]
    scrape(contract, "2026-12-10T11:00")
    with contract.house.store.read() as tx:
        assert {kept.component: kept.meter.state for kept in tx.meters.all()} == {"alpha": State.DOWN, "beta": State.UP}
        assert {kept.meter.until for kept in tx.meters.all()} == {
            second_of(london(at)) for at in ("2026-12-10T09:00", "2026-12-10T11:00")
        }


def test_a_meter_is_not_kept_if_anything_happened_since_it_was_read(contract: Contract) -> None:
    """Between reading and keeping, alpha goes down and an outage of beta is declared."""
    metering = afresh_metering(contract)
    contract.at("2026-12-10T09:00")
    with contract.house.store.read() as tx:
        metering.figures(tx)
    contract.becomes("alpha", "2026-12-10T08:59", State.DOWN)
    metering.keep(contract.house.store)
    with contract.house.store.read() as tx:
        assert [kept.component for kept in tx.meters.all()] == ["beta"]
        metering.figures(tx)
    contract.declare(DeclarationKind.OUTAGE, "beta", "2026-12-09T09:00", "2026-12-09T10:00")
    metering.keep(contract.house.store)
    with contract.house.store.read() as tx:
        assert tx.meters.all() == []
