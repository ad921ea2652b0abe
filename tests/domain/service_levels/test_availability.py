"""Availability: the worked examples, and each rule of the contract's clock separately."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.service_levels.availability import Availability, AvailabilityTerms, Unmeasured, availability
from orchestrator.domain.service_levels.record import Exclusion, Maintenance, ServiceRecord
from tests.domain.service_levels.vectors import (
    ACCEPTED,
    HOURS,
    LONDON,
    LONG_AGO,
    NO_NOTICE,
    VECTORS,
    is_bank_holiday,
    london,
    stretch,
)

APRIL = CalendarMonth(year=2026, number=4)
HOUR = 3600
UP = {"at": LONG_AGO, "state": "up"}


def at(text: str, state: str) -> dict[str, Any]:
    return {"at": london(text), "state": state}


def judged(
    record: dict[str, Any],
    *,
    month: CalendarMonth = APRIL,
    hours: str = "office",
    unmeasured: Unmeasured = Unmeasured.DOWN,
    notice: timedelta = NO_NOTICE,
) -> Availability:
    terms = AvailabilityTerms(hours=HOURS[hours], notice=notice, unmeasured=unmeasured)
    kept = ServiceRecord.model_validate({"parts": {"sessions": [UP]}, **record})
    return availability(terms, kept, within=month.span(LONDON), is_bank_holiday=is_bank_holiday)


@pytest.mark.parametrize("given", VECTORS["availability"], ids=lambda given: given["case"])
class TestTheWorkedExamples:
    def found(self, given: dict[str, Any], record: dict[str, Any]) -> tuple[int, int, str]:
        agreed = {"announced_at": LONG_AGO, "acceptance": ACCEPTED}
        maintenance = [stretch(edges, **agreed) for edges in given.get("maintenance", [])]
        month = CalendarMonth.of(given["month"])
        found = judged(record | {"maintenance": maintenance}, month=month, hours=given["hours"])
        assert found.percent is not None
        assert not found.provisional
        return found.eligible, found.bad, f"{found.percent:.6f}"

    def test_hold_when_a_separate_probe_measures_each_outage(self, given: dict[str, Any]) -> None:
        parts = {f"part-{n}": [UP, at(a, "down"), at(b, "up")] for n, (a, b) in enumerate(given["down"])}
        assert self.found(given, {"parts": parts}) == (given["eligible"], given["bad"], given["percent"])

    def test_hold_when_the_outages_are_reported(self, given: dict[str, Any]) -> None:
        outages = [stretch(edges, reference="INC-1") for edges in given["down"]]
        assert self.found(given, {"outages": outages}) == (given["eligible"], given["bad"], given["percent"])


class TestMaintenance:
    TUESDAY = ("2026-04-14T10:00", "2026-04-14T12:00")

    def down_during(self, until: str = "2026-04-14T12:00", **given: Any) -> Availability:
        agreed = {"announced_at": london("2026-04-07T10:00"), "acceptance": ACCEPTED}
        work = stretch(list(self.TUESDAY), **agreed | given)
        timeline = [UP, at("2026-04-14T10:00", "down"), at(until, "up")]
        return judged({"parts": {"sessions": timeline}, "maintenance": [work]}, notice=timedelta(days=7))

    def test_that_was_agreed_is_no_service_time(self) -> None:
        """Accepted as late as when it begins."""
        begins = {"by": "A", "at": london("2026-04-14T10:00")}
        for found in (self.down_during(), self.down_during(acceptance=begins)):
            assert (found.eligible, found.bad) == (198 * HOUR, 0)

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"announced_at": london("2026-04-07T10:00:01")}, "announced 6 d 23 h 59 min before its start"),
            ({"announced_at": london("2026-04-14T10:30")}, "announced 0 min before its start"),
            ({"acceptance": None}, "the agency has not accepted it"),
            ({"acceptance": {"by": "A", "at": london("2026-04-14T10:00:01")}}, "accepted only at 2026-04-14T09:00:01"),
        ],
    )
    def test_that_was_not_agreed_in_time_is_service_time(self, given: dict[str, Any], why: str) -> None:
        found = self.down_during(**given)
        assert (found.eligible, found.bad) == (200 * HOUR, 2 * HOUR)
        agreed = {"announced_at": london("2026-04-07T10:00"), "acceptance": ACCEPTED}
        refused = Maintenance.model_validate(stretch(list(self.TUESDAY), **agreed | given)).refuse(timedelta(days=7))
        assert refused is not None
        assert why in refused

    def test_that_overruns_is_downtime_from_then_on(self) -> None:
        measured = self.down_during(until="2026-04-14T12:30")
        assert (measured.eligible, measured.bad) == (198 * HOUR, HOUR / 2)

    def test_that_overruns_is_downtime_even_if_users_could_work(self) -> None:
        found = self.down_during(ended_at=london("2026-04-14T13:00"))
        assert (found.eligible, found.bad) == (198 * HOUR, HOUR)

    def test_that_ends_early_counts_as_agreed(self) -> None:
        assert self.down_during(ended_at=london("2026-04-14T11:00")) == self.down_during()

    def test_must_not_end_before_it_starts(self) -> None:
        with pytest.raises(ValidationError, match="is not after its start"):
            Maintenance.model_validate(stretch(["2026-04-14T12:00", "2026-04-14T12:00"], announced_at=LONG_AGO))


class TestAnExclusion:
    CAUSED = ("2026-04-14T10:00", "2026-04-14T12:00")

    def judged(self, acceptance: dict[str, Any] | None) -> Availability:
        timeline = [UP, at("2026-04-14T10:00", "down"), at("2026-04-14T13:00", "up")]
        exclusion = stretch(list(self.CAUSED), why="the agency changed its firewall", acceptance=acceptance)
        return judged({"parts": {"sessions": timeline}, "exclusions": [exclusion]})

    def test_counts_once_the_agency_accepts_it_even_afterwards(self) -> None:
        later = {"by": "Service owner", "at": london("2026-05-04T09:00")}
        assert (self.judged(later).eligible, self.judged(later).bad) == (198 * HOUR, HOUR)

    def test_that_nobody_accepted_changes_nothing(self) -> None:
        assert (self.judged(None).eligible, self.judged(None).bad) == (200 * HOUR, 3 * HOUR)

    def test_says_who_accepted_it(self) -> None:
        with pytest.raises(ValidationError):
            Exclusion.model_validate(stretch(list(self.CAUSED), why="x", acceptance={"at": LONG_AGO}))


class TestUnmeasuredTime:
    @staticmethod
    def gap(minutes: int, unmeasured: Unmeasured) -> Availability:
        """A gap on a morning, and an hour of downtime in the afternoon."""
        start = london("2026-04-14T08:00")
        timeline = [
            UP,
            {"at": start, "state": "unknown"},
            {"at": start + timedelta(minutes=minutes), "state": "up"},
            at("2026-04-15T15:00", "down"),
            at("2026-04-15T16:00", "up"),
        ]
        return judged({"parts": {"sessions": timeline}}, unmeasured=unmeasured)

    @pytest.mark.parametrize(
        ("rule", "eligible", "bad", "provisional"),
        [
            (Unmeasured.DOWN, 200 * HOUR, 3 * HOUR, False),
            (Unmeasured.EXCLUDED, 198 * HOUR, HOUR, False),
            (Unmeasured.FLAGGED, 198 * HOUR, HOUR, True),
        ],
    )
    def test_is_judged_as_the_contract_says_and_never_as_up(
        self, rule: Unmeasured, eligible: int, bad: int, provisional: bool
    ) -> None:
        found = self.gap(120, rule)
        assert (found.due, found.eligible, found.bad) == (200 * HOUR, eligible, bad)
        assert (found.unmeasured, found.coverage) == (2 * HOUR, Decimal("0.99"))
        assert found.provisional is provisional

    @pytest.mark.parametrize("rule", Unmeasured)
    def test_beyond_a_hundredth_makes_the_figure_provisional(self, rule: Unmeasured) -> None:
        assert self.gap(121, rule).coverage < Decimal("0.99")
        assert self.gap(121, rule).provisional

    def test_is_all_time_before_the_first_transition_or_without_any_part(self) -> None:
        nothing = judged({"parts": {}}, unmeasured=Unmeasured.EXCLUDED)
        assert (nothing.due, nothing.eligible, nothing.coverage) == (200 * HOUR, 0, 0)
        assert nothing.ratio is None
        late = judged({"parts": {"sessions": [at("2026-04-28T08:00", "up")]}})
        assert late.unmeasured == 170 * HOUR

    def test_of_one_part_counts_unless_another_part_was_down(self) -> None:
        blind = [UP, at("2026-04-14T10:00", "unknown"), at("2026-04-14T12:00", "up")]
        down = [UP, at("2026-04-14T11:00", "down"), at("2026-04-14T12:00", "up")]
        found = judged({"parts": {"sessions": blind, "boot": down}}, unmeasured=Unmeasured.EXCLUDED)
        assert (found.unmeasured, found.bad) == (HOUR, HOUR)

    def test_outside_service_hours_does_not_matter(self) -> None:
        night = [UP, at("2026-04-14T18:00", "unknown"), at("2026-04-15T08:00", "up")]
        assert judged({"parts": {"sessions": night}}).coverage == 1


class TestAFigure:
    def test_is_never_rounded_up(self) -> None:
        third = Availability(due=3, eligible=3, bad=1, unmeasured=0, rule=Unmeasured.DOWN)
        assert third.ratio == Decimal("0." + 28 * "6")
        assert third.percent == Decimal("66." + 26 * "6")

    def test_is_none_when_no_time_is_left_to_judge(self) -> None:
        empty = Availability(due=0, eligible=0, bad=0, unmeasured=0, rule=Unmeasured.DOWN)
        assert (empty.ratio, empty.percent, empty.coverage, empty.provisional) == (None, None, 1, False)

    def test_cannot_hold_more_downtime_than_time(self) -> None:
        with pytest.raises(ValidationError, match="bad time must be part of eligible time"):
            Availability(due=3, eligible=2, bad=3, unmeasured=0, rule=Unmeasured.DOWN)


class TestATimeline:
    def test_is_put_in_order(self) -> None:
        mixed = [at("2026-04-14T11:00", "up"), at("2026-04-14T10:00", "down"), UP]
        assert judged({"parts": {"sessions": mixed}}).bad == HOUR

    def test_cannot_say_two_things_at_once(self) -> None:
        with pytest.raises(ValidationError, match="has both down and up at 2026-04-14T09:00:00"):
            judged({"parts": {"sessions": [at("2026-04-14T10:00", "up"), at("2026-04-14T10:00", "down")]}})

    def test_may_say_the_same_thing_twice(self) -> None:
        assert judged({"parts": {"sessions": [UP, UP]}}).bad == 0
