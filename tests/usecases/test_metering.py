"""The counters of service levels as scrapes see them, over the records of a real store."""

import random
from datetime import timedelta
from itertools import pairwise

import pytest

from orchestrator.domain.declaration_kind import DeclarationKind
from orchestrator.domain.probing import Change, ProbeKey
from orchestrator.domain.service_record import State
from orchestrator.usecases.metering import Metering
from orchestrator.usecases.service_level_ports import ServiceLevelFigures
from tests.domain.service_levels.vectors import LONDON, is_bank_holiday, london
from tests.usecases.test_service_levels import AGENCY, Contract, contract, databases

__all__ = ["contract", "databases"]

HOUR = 3600.0


def scrape(contract: Contract, wall: str) -> ServiceLevelFigures:
    """At that time, probes having been read until then."""
    contract.at(wall)
    return contract.house.observing.snapshot().service_levels


def afresh(contract: Contract) -> ServiceLevelFigures:
    """By another process, that has just begun."""
    metering = Metering(source=contract.house.ordering.source, is_bank_holiday=is_bank_holiday)
    with contract.house.store.read() as tx:
        return metering.figures(tx)


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


def test_what_is_let_pass_afterwards_changes_the_month_and_no_counter(contract: Contract) -> None:
    contract.down("alpha", "2026-12-10T09:00", "2026-12-10T16:00")
    before = of_alpha(scrape(contract, "2026-12-11T12:00"))
    number = contract.declare(DeclarationKind.EXCLUSION, "alpha", "2026-12-10T09:00", "2026-12-10T16:00")
    contract.declaring.accept(number, by="Jo Bloggs")
    after = of_alpha(scrape(contract, "2026-12-11T12:00"))
    assert after["bad_seconds"] == before["bad_seconds"] == 7 * HOUR
    assert before["availability"] < after["availability"] == 1


def test_nothing_counts_that_nobody_probes(contract: Contract) -> None:
    known = scrape(contract, "2026-12-01T12:00")
    contract.house.clock.turn(hours=3)
    assert contract.house.observing.snapshot().service_levels == known


def test_a_service_that_is_retired_is_gone(contract: Contract) -> None:
    contract.at("2026-12-10T12:00")
    plan = contract.house.ordering.plan_offboarding(AGENCY)
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
            with contract.house.store.begin() as tx:
                tx.transitions.record([(key, Change(now, chance.choice(list(State)), "a test says so"))])
        now += timedelta(seconds=chance.randrange(1, 40))
        scraped.append(scrape(contract, f"{now.astimezone(LONDON):%Y-%m-%dT%H:%M:%S}"))
        assert afresh(contract) == scraped[-1]
    for before, after in pairwise(scraped):
        for counter in ("eligible_seconds", "bad_seconds"):
            assert all(a[2] <= b[2] for a, b in zip(getattr(before, counter), getattr(after, counter), strict=True))
