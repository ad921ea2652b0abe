"""Orders that change the contract: who, how many, how long. What is planned, recorded, charged and refused."""

import random
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.charging.charges import by_month
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.ordering.plan import Effect, Purpose
from orchestrator.domain.runs.run import RunState
from orchestrator.domain.selling.agreement import CallOff, Term
from tests.domain.service_levels.vectors import LONDON, london
from tests.usecases.conftest import House, order


def changed(call_off: CallOff, **parts: Any) -> CallOff:
    """The order with other parts of its sections: `agency={"seats": 20}`."""
    document = call_off.document()
    for section, given in parts.items():
        document[section] = {**document.get(section, {}), **given} if isinstance(given, dict) else given
    return CallOff.model_validate(document)


def record(house: House, agency: str = "a-one") -> AgencyRecord:
    with house.store.read() as tx:
        found = tx.agencies.get(agency)
    assert found
    return found


OTHER_CONTACT = [{"role": "director", "name": "D", "email": "d@a.example"}]


class TestAChangeOfTheContract:
    @pytest.mark.parametrize(
        ("parts", "path", "before", "after"),
        [
            ({"agency": {"seats": 9000}}, "agency.seats", 10, 9000),
            ({"agency": {"contacts": OTHER_CONTACT}}, "agency.contacts", ["manager: M <m@a.example>"],
             ["director: D <d@a.example>"]),
            ({"term": {"months": 24}}, "term.months", 12, 24),
            ({"term": {"start": "2027-01-01"}}, "term.start", "2026-12-01", "2027-01-01"),
            ({"recovery": {"time_zone": "Europe/Paris"}}, "recovery.time_zone", None, "Europe/Paris"),
        ],
    )  # fmt: skip
    def test_is_shown_and_recorded_by_a_run_without_steps(
        self, house: House, parts: dict[str, Any], path: str, before: Any, after: Any
    ) -> None:
        house.apply(order())
        wanted = changed(order(), **parts)
        plan = house.planning.plan(wanted).plan
        assert [(f.path, f.before, f.after) for f in plan.contract] == [(path, before, after)]
        assert (plan.steps, plan.empty, plan.purpose) == ((), False, Purpose.CHANGE)
        run = house.apply(wanted)
        assert run.state is RunState.SUCCEEDED
        assert record(house).call_off == wanted
        assert house.planning.plan(wanted).plan.empty

    def test_of_seats_is_priced_before_and_after(self, house: House) -> None:
        """£10 a seat-year, £8 from a hundred on, and £100 for alpha. The term has not begun: it is charged anew."""
        house.apply(order(seats=10))
        cost = house.planning.plan(order(seats=9000)).plan.cost
        assert cost.before and (cost.before.per_year, cost.before.term_total) == (200, 200)
        assert (cost.per_year, cost.term_total) == (72_100, 72_100)

    def test_is_charged_from_the_day_it_is_made(self, house: House) -> None:
        house.apply(order(seats=10))
        house.clock.time = london("2027-05-31T23:30")  # 22:30 in UTC, and a quarter past nothing there
        house.apply(order(seats=9000))
        charged = by_month(record(house).rates)
        assert [charged[m] for m in ("2027-04", "2027-06")] == [Decimal("16.67"), Decimal("6008.33")]
        assert charged["2027-05"] == Decimal("16.13") + Decimal("193.82"), "30 days of the one, 1 day of the other"
        assert record(house).committed == sum(charged.values())

    def test_beside_other_changes_costs_what_the_plan_showed(self, house: House) -> None:
        house.apply(order(seats=10))
        house.clock.time = london("2027-06-01T10:00")
        wanted = order(seats=20, alpha={"tier": "large"})
        plan = house.planning.plan(wanted).plan
        assert plan.steps
        house.apply(wanted)
        assert record(house).committed == plan.cost.term_total
        assert record(house).rates == plan.cost.rates

    def test_whose_price_changes_overnight_has_to_be_planned_again(self, house: House) -> None:
        house.apply(order(seats=10))
        house.clock.time = london("2027-06-01T10:00")
        stale = house.planning.plan(order(seats=20))
        contacts = house.planning.plan(changed(order(), agency={"contacts": OTHER_CONTACT}))
        house.clock.turn(hours=20)
        with pytest.raises(OrchestratorError) as refused:
            house.provisioning.open_run(stale.id)
        assert refused.value.kind is Kind.CONFLICT
        assert "stale" in refused.value.message
        house.provisioning.open_run(contacts.id)

    def test_is_checked_against_the_ceiling(self, house: House) -> None:
        house.apply(order("a-one", seats=62_000))
        house.apply(order("a-two", seats=10))
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(order("a-two", seats=70_000))
        assert refused.value.kind is Kind.NOT_COVERED
        house.planning.plan(order("a-two", seats=60_000))

    def test_of_the_name_reaches_the_hosts(self, house: House) -> None:
        """They have it in certificates, titles and queues."""
        house.apply(order())
        wanted = changed(order(), agency={"name": "Another Name"})
        plan = house.planning.plan(wanted, renamed=True).plan
        assert [c.effect for c in plan.changes] == [Effect.UPDATE]
        assert [step.id for step in plan.steps] == ["alpha.precheck", "alpha.provision", "alpha.verify"]

    def test_that_changes_no_price_keeps_the_agreed_one(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        """The price list has changed since, but applies only to what is newly bought."""
        house.apply(order())
        agreed = record(house).rates
        dearer = house.planning.agreement("trial").seat_price.model_copy(update={"bands": ()})
        monkeypatch.setattr(type(dearer), "per_year", lambda *_: Decimal(1000))
        house.apply(changed(order(), agency={"contacts": OTHER_CONTACT}))
        assert record(house).rates == agreed
        assert house.planning.plan(order(seats=11)).plan.cost.per_year == 11_100


class TestAForbiddenChange:
    @pytest.mark.parametrize(
        ("parts", "told"),
        [
            ({"agency": {"class": "central-government"}}, "recorded as 'agency'"),
            ({"term": {"start": "2027-01-01"}}, "the term began on 2026-12-01, which cannot change"),
            ({"term": {"months": 1}}, "the term would end on 2027-01-01, which has passed"),
        ],
    )
    def test_is_refused(self, house: House, parts: dict[str, Any], told: str) -> None:
        house.apply(order())
        house.clock.time = london("2027-02-03T10:00")
        before = record(house)
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(changed(order(), **parts))
        assert refused.value.kind is Kind.CONFLICT
        assert told in refused.value.message
        assert "agency offboard a-one" in (refused.value.hint or "")
        assert record(house) == before

    def test_is_refused_together_with_all_others_and_their_lines(self, house: House, tmp_path: Path) -> None:
        house.apply(order())
        house.clock.time = london("2027-02-03T10:00")
        file = tmp_path / "a-one.yml"
        wanted = changed(order(), agency={"class": "central-government"}, term={"start": "2027-01-01"})
        file.write_text(
            yaml.safe_dump(wanted.document() | {"services": {"alpha": {"tier": "standard"}}}, sort_keys=False)
        )
        with pytest.raises(OrchestratorError) as refused:
            house.planning.read(file)
        assert (refused.value.kind, len(refused.value.details)) == (Kind.CONFLICT, 2)
        lines = file.read_text().splitlines()
        for detail, key in zip(refused.value.details, ("  class:", "term:"), strict=True):
            number = int(detail.removeprefix(f"{file}:").partition(":")[0])
            assert lines[number - 1].startswith(key), detail

    def test_of_the_name_is_allowed_once_it_is_confirmed(self, house: House) -> None:
        house.apply(order())
        other = changed(order(), agency={"name": "Somebody Else"})
        assert house.planning.another_name(other) == "a-one"
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(other)
        assert refused.value.kind is Kind.CONFLICT
        assert "this order is for Somebody Else" in refused.value.message
        assert "--renamed" in (refused.value.hint or "")
        house.planning.plan(other, renamed=True)

    def test_of_the_name_is_not_allowed_to_an_agency_that_has_left(self, house: House) -> None:
        """It has a history under its id, and may still owe money."""
        house.apply(order())
        house.drive(house.provisioning.open_run(house.planning.plan_offboarding("a-one").id))
        with pytest.raises(OrchestratorError) as refused:
            house.planning.plan(changed(order(), agency={"name": "Somebody Else"}))
        assert "choose another id" in (refused.value.hint or "")
        house.planning.plan(order())

    def test_does_not_include_a_new_term_after_a_finished_one(self, house: House) -> None:
        house.apply(order())
        house.clock.time = london("2027-12-20T10:00")
        house.apply(changed(order(seats=20), term={"start": "2027-12-01", "months": 24}))
        charged = by_month(record(house).rates)
        assert (charged["2027-11"], charged["2027-12"]) == (Decimal("16.66"), Decimal("25.00"))
        assert record(house).committed == 200 + 2 * 300


@pytest.mark.parametrize("seed", range(6))
def test_every_month_is_charged_by_the_days_of_its_orders(house: House, seed: int) -> None:
    """The oracle writes down what each day costs by the last order up to it: £10 a seat-year, £8 from 100 seats on, and
    £100 for alpha."""
    chance = random.Random(seed)
    house.clock.time = london("2026-11-22T09:00")
    start, a_day = date(2026, 12, 1), dict[date, Fraction]()
    for rates in range(1, 9):
        today = house.clock.now().astimezone(LONDON).date()
        term = Term(start=start, months=12 * chance.randint(2, 4))
        seats = chance.randrange(1, 900)
        house.apply(changed(order(seats=seats), term={"months": term.months}))
        a_day = {day: cost for day, cost in a_day.items() if day < max(today, start)}
        day = max(today, start)
        while day < term.end:
            month = CalendarMonth.of(day)
            a_day[day] = Fraction(
                (10 if seats < 100 else 8) * seats + 100, 12 * (month.following.first - month.first).days
            )
            day += timedelta(days=1)
        exact: dict[str, Fraction] = {}
        for day, cost in a_day.items():
            exact[f"{day:%Y-%m}"] = exact.get(f"{day:%Y-%m}", Fraction(0)) + cost
        charged = by_month(record(house).rates)
        assert charged.keys() >= exact.keys()
        for name, pounds in charged.items():
            assert abs(Fraction(pounds) - exact.get(name, Fraction(0))) < Fraction(2 * rates, 100), name
        with house.store.read() as tx:
            assert tx.agencies.committed("trial", without="nobody") == sum(charged.values())
        house.clock.turn(days=chance.randrange(60))
