"""The figures that follow from a month's records, measure by measure."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.service_levels.availability import Availability
from orchestrator.domain.service_levels.credits import LinearCredit
from orchestrator.domain.service_levels.figures import Achieved
from orchestrator.domain.service_levels.hours import ServiceHours
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.domain.service_levels.month_record import (
    DeskTerms,
    DrillDue,
    MonthRecord,
    Onboarding,
    ServedComponent,
    availabilities,
    days,
)
from orchestrator.domain.service_levels.month_record import achieved as achieved_by
from orchestrator.domain.service_levels.record import ServiceRecord
from orchestrator.domain.service_levels.terms import ServiceTerms
from tests.domain.conftest import agreement
from tests.domain.service_levels.vectors import OFFICE, is_bank_holiday, london

__all__ = ["agreement"]

APRIL = CalendarMonth.named("2026-04")
START, END = london("2026-04-01T00:00"), london("2026-05-01T00:00")


@pytest.fixture(scope="module")
def terms(agreement: FrameworkAgreement) -> ServiceTerms:
    return agreement.service_levels


def record(terms: ServiceTerms, **known: Any) -> MonthRecord:
    return MonthRecord(agency="a-one", month=APRIL, terms=terms, **{"until": END, **known})


def served(*down: tuple[str, str], start: datetime = START, end: datetime = END, **known: Any) -> ServedComponent:
    """Up, except for some periods."""
    timeline = [{"at": START, "state": "up"}]
    for begins, ends in down:
        timeline += [{"at": london(begins), "state": "down"}, {"at": london(ends), "state": "up"}]
    found = ServiceRecord.model_validate({"parts": {"tcp": timeline}, **known})
    return ServedComponent(component="desk", hours=None, start=start, end=end, record=found)


def achieved(found: MonthRecord) -> dict[str, Achieved]:
    available = availabilities(found, is_bank_holiday=is_bank_holiday)
    return achieved_by(found, available, is_bank_holiday=is_bank_holiday)


def percents(found: MonthRecord) -> dict[str, Decimal | None]:
    return {m: a.percent for m, a in achieved(found).items()}


class TestAvailability:
    def test_is_judged_separately_for_each_service(self, terms: ServiceTerms) -> None:
        overnight = served(("2026-04-09T17:30", "2026-04-10T08:45"))
        other = served().model_copy(update={"component": "network"})
        found = percents(record(terms, services=(overnight, other)))
        assert found["availability/desk"] == Decimal("99.375")
        assert found["availability/network"] == 100

    def test_uses_the_hours_of_a_tier_that_has_its_own(self, terms: ServiceTerms) -> None:
        overnight = served(("2026-04-09T17:30", "2026-04-10T08:45"))
        at_any_time = {"hours": OFFICE.model_copy(update={"opening": "24x7"})}
        found = percents(record(terms, services=(overnight.model_copy(update=at_any_time),)))
        assert found["availability/desk"] == Decimal(2592000 - 54900) / 2592000 * 100

    def test_leaves_out_the_time_in_which_the_agency_did_not_have_the_service(self, terms: ServiceTerms) -> None:
        """Retired on the 10th at noon, back on the 20th: eleven days of ten hours, less an afternoon and a morning."""
        first = served(("2026-04-09T10:00", "2026-04-09T11:00"), end=london("2026-04-10T12:00"))
        again = served(start=london("2026-04-20T09:00"))
        found = percents(record(terms, services=(first, again)))
        hours = 5 * 10 + 4 + 9 + 8 * 10
        assert found["availability/desk"] == pytest.approx(Decimal(hours - 1) / hours * 100)

    def test_day_by_day_goes_by_the_agencys_midnight_and_the_hours_of_the_tier(self, terms: ServiceTerms) -> None:
        """From half an hour before midnight in London to half an hour after it, which is all one day in UTC."""
        overnight = served(("2026-04-09T23:30", "2026-04-10T00:30"))
        down = overnight.model_copy(update={"hours": OFFICE.model_copy(update={"opening": "24x7"})})
        strip = days(record(terms, services=(down,)), down, is_bank_holiday=is_bank_holiday)
        assert {day.day.day: day.figure.bad for day in strip if day.figure.bad} == {9: 1800, 10: 1800}

    def test_day_by_day_adds_up_to_the_month(self, terms: ServiceTerms) -> None:
        down = served(("2026-04-09T17:30", "2026-04-10T08:45"))
        whole = record(terms, services=(down,))
        strip = list(days(whole, down, is_bank_holiday=is_bank_holiday))
        assert [day.day for day in strip] == [date(2026, 4, n) for n in range(1, 31)]
        total: Availability = strip[0].figure
        for day in strip[1:]:
            total = total.plus(day.figure)
        assert (total.eligible, total.bad) == (720_000, 4_500)
        assert {day.day.day: day.figure.bad for day in strip if day.figure.bad} == {9: 1800, 10: 2700}


class TestIncidents:
    def test_count_once_in_the_month_in_which_their_clock_stopped_or_ran_out(self, terms: ServiceTerms) -> None:
        """Four hours to fix, in service hours."""
        told = {
            "before": ("2026-03-31T16:00", "2026-04-01T09:00"),  # three hours: in time, in April
            "long ago": ("2026-03-02T09:00", "2026-04-02T09:00"),  # late in March already
            "late": ("2026-04-07T09:00", "2026-04-08T09:00"),
            "not yet": ("2026-04-30T17:00", None),  # one hour has run
            "next": ("2026-04-30T17:00", "2026-05-01T09:00"),
        }
        incidents = {name: incident(*given).as_of(END) for name, given in told.items()}
        found = achieved(record(terms, incidents=incidents))["incident-fix/p1"]
        assert found.percent == 50
        assert found.forgiven, "one late of so few"

    @pytest.mark.parametrize(
        ("reported", "fixed", "counts"),
        [("2026-03-31T17:00", "2026-04-01T00:00", True), ("2026-04-30T17:00", "2026-05-01T00:00", False)],
    )
    def test_fixed_at_midnight_count_in_the_month_that_begins(
        self, terms: ServiceTerms, reported: str, fixed: str, counts: bool
    ) -> None:
        found = achieved(record(terms, incidents={"1": incident(reported, fixed)}))["incident-fix/p1"]
        assert found.percent == (100 if counts else None)

    def test_give_nothing_to_judge_when_there_were_none(self, terms: ServiceTerms) -> None:
        assert percents(record(terms))["incident-fix/p1"] is None

    def test_beyond_the_few_that_may_be_late_miss_the_target(self, terms: ServiceTerms) -> None:
        late = {str(n): incident("2026-04-07T09:00", "2026-04-08T09:00") for n in range(3)}
        found = achieved(record(terms, incidents=late))
        figures = terms.judge(found, charges=Decimal(1000), missed_before=frozenset())
        assert figures.missed == {"incident-fix/p1", "incident-response/p1"}
        assert figures.credit == Decimal("10.00")


def incident(reported: str, fixed: str | None) -> Incident:
    return Incident.model_validate(
        {"priority": "p1", "reported_at": london(reported), "fixed_at": fixed and london(fixed)}
    )


class TestAMonthKnownLater:
    """What was agreed is as it was when the month was closed, and what happened as it is known now."""

    def test_keeps_the_hours_of_each_service(self, terms: ServiceTerms) -> None:
        at_any_time = OFFICE.model_copy(update={"opening": "24x7"})
        closed = record(terms, services=(served().model_copy(update={"hours": at_any_time}),))
        found_later = served().model_copy(update={"component": "network", "hours": OFFICE})
        later = record(terms, services=(served(), found_later)).agreed_as_in(closed)
        assert [(one.component, one.hours) for one in later.services] == [("desk", at_any_time), ("network", OFFICE)]

    def test_keeps_the_objectives_of_each_drill(self, terms: ServiceTerms) -> None:
        closed = record(terms, drills=(drill(1, rto=60, rpo=60),))
        other = {"rto_objective_seconds": 1.0, "rpo_objective_seconds": 2.0}
        again, found_later = drill(1, passed=False, rto=70), drill(2).model_copy(update=other)
        later = record(terms, drills=(again.model_copy(update=other), found_later)).agreed_as_in(closed)
        assert later.drills == (again, found_later)

    @pytest.mark.parametrize("hours", [None, OFFICE])
    def test_keeps_the_hours_of_the_desk(self, terms: ServiceTerms, hours: ServiceHours | None) -> None:
        at_any_time = OFFICE.model_copy(update={"opening": "24x7"})
        later = record(terms, desk_hours=at_any_time).agreed_as_in(record(terms, desk_hours=hours))
        assert later.desk_hours == hours

    def test_keeps_the_terms_of_other_months(self, terms: ServiceTerms) -> None:
        march, february, at_closing = (
            DeskTerms(targets=terms.incidents, hours=OFFICE.model_copy(update={"opening": opening}))
            for opening in ("24x7", OFFICE.opening, OFFICE.opening[:1])
        )
        closed = record(terms, earlier={"2026-03": at_closing})
        later = record(terms, earlier={"2026-03": march, "2026-02": february}).agreed_as_in(closed)
        assert later.earlier == {"2026-03": at_closing, "2026-02": february}

    @pytest.mark.parametrize(
        ("closed", "later", "counted"),
        [
            ((5, 1, False), (4, 1, False), (5, 1, False)),
            ((5, 1, False), (5, 0, False), (5, 1, False)),
            ((5, 1, False), (4, 2, False), (4, 2, False)),
            ((5, 1, False), (7, 0, False), (7, 0, False)),
            ((5, 0, False), (0, 0, True), (5, 0, False)),
            ((0, 0, False), (0, 0, True), (0, 0, True)),
        ],
    )
    def test_has_no_fewer_backups(
        self, terms: ServiceTerms, closed: tuple[int, int, bool], later: tuple[int, int, bool], counted: Any
    ) -> None:
        """Records of single backups are not kept for ever."""
        names = ("backups", "backups_failed", "no_backup_ended")
        before, now = (record(terms, **dict(zip(names, some, strict=True))) for some in (closed, later))
        found = now.agreed_as_in(before)
        assert tuple(getattr(found, name) for name in names) == counted


class TestTheOtherMeasures:
    @pytest.mark.parametrize(("served_at", "percent"), [("2026-04-16T23:00", 100), ("2026-04-17T00:30", 0)])
    def test_lead_time_is_in_working_days(self, terms: ServiceTerms, served_at: str, percent: int) -> None:
        """Ten of them from Tuesday 31 March, over Easter, to midnight in London."""
        ordered = Onboarding(ordered_at=london("2026-03-31T17:00"), in_service_at=london(served_at))
        assert percents(record(terms, onboardings=(ordered,)))["onboarding-lead-time"] == percent

    def test_failed_backups_count(self, terms: ServiceTerms) -> None:
        assert percents(record(terms, backups=19, backups_failed=1))["backups"] == 95

    def test_due_backups_of_which_none_ended_give_zero_percent(self, terms: ServiceTerms) -> None:
        assert percents(record(terms, no_backup_ended=True))["backups"] == 0
        assert percents(record(terms))["backups"] is None, "none was due"

    def test_backups_that_are_no_longer_on_record_stay_counted(self, terms: ServiceTerms) -> None:
        closed, later = record(terms, backups=5), record(terms, no_backup_ended=True)
        assert percents(later.agreed_as_in(closed))["backups"] == 100

    def test_a_drill_and_each_of_its_objectives_are_kept_or_missed(self, terms: ServiceTerms) -> None:
        drills = (drill(1, rto=60, rpo=60), drill(2, rto=61, rpo=60), drill(3, passed=False))
        found = percents(record(terms, drills=drills))
        assert found["drills"] == Decimal(200) / 3
        assert (found["recovery-time"], found["recovery-point"]) == (50, 100)

    def test_never_recovering_costs_as_much_as_recovering_late(self, terms: ServiceTerms) -> None:
        late = (drill(1, rto=60, rpo=60), drill(2, passed=False, rto=61, rpo=61))
        never = (late[0], drill(2, passed=False, never_recovered=True, all_lost=True))
        found = percents(record(terms, drills=never))
        assert found == percents(record(terms, drills=late))
        assert (found["recovery-time"], found["recovery-point"]) == (50, 50)

    @given(
        st.lists(
            st.tuples(st.none() | st.integers(0, 120), st.none() | st.integers(0, 120), st.booleans(), st.booleans()),
            max_size=6,
        )
    )
    def test_a_drill_that_never_recovered_misses_its_objectives(
        self, terms: ServiceTerms, found: list[tuple[int | None, int | None, bool, bool]]
    ) -> None:
        """Counted by hand: those beyond the objective and those that never came back are missed."""
        drills = [
            drill(number, rto=rto, rpo=rpo, never_recovered=never and rto is None, all_lost=lost and rpo is None)
            for number, (rto, rpo, never, lost) in enumerate(found)
        ]
        shares = percents(record(terms, drills=tuple(drills)))
        for measure, figure, gone in (("recovery-time", 0, 2), ("recovery-point", 1, 3)):
            kept = sum(1 for one in found if one[figure] is not None and one[figure] <= 60)  # type: ignore[operator]
            missed = sum(1 for one in found if (one[figure] is None and one[gone]) or (one[figure] or 0) > 60)
            assert shares[measure] == (Decimal(kept * 100) / (kept + missed) if kept + missed else None)


def drill(
    number: int, *, passed: bool = True, rto: float | None = None, rpo: float | None = None, **known: bool
) -> DrillDue:
    return DrillDue(
        drill=number, component="desk", due_at=START + timedelta(days=number), passed=passed, rto_seconds=rto,
        rto_objective_seconds=60, rpo_seconds=rpo, rpo_objective_seconds=60, **known,
    )  # fmt: skip


class TestTerms:
    def test_that_charge_by_shortfall_take_a_share_of_the_charges(self, terms: ServiceTerms) -> None:
        """A point and a half below 98 %, at 2 % a point."""
        linear = LinearCredit(target=Decimal(98), rate=Decimal(2), whole_points=False)
        [promise] = [one for one in terms.measures if "drills" in one.of]
        by_shortfall = promise.model_copy(update={"points": None, "shortfall": linear})
        only = terms.model_copy(update={"measures": (by_shortfall,), "credits": None})
        figures = {"drills": Achieved(percent=Decimal("96.5")), "availability/desk": Achieved(percent=Decimal(1))}
        found = only.judge(figures, charges=Decimal(1000), missed_before=frozenset())
        assert (found.missed, found.credit, found.charges) == ({"drills"}, Decimal("30.00"), Decimal(1000))

    def test_that_do_not_promise_a_measure_charge_nothing_for_it(self, terms: ServiceTerms) -> None:
        only = terms.model_copy(update={"measures": terms.measures[:1]})
        found = achieved(record(only, backups_failed=9))
        assert only.judge(found, charges=Decimal(1000), missed_before=frozenset()).results == {}

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"credits": None}, "credits are the price of a point"),
            ({"measures": [{"of": ["drills"], "ratings": {}}]}, "needs either points or shortfall"),
        ],
    )
    def test_that_contradict_themselves_are_refused(
        self, terms: ServiceTerms, change: dict[str, Any], complaint: str
    ) -> None:
        ratings = {"good": 99, "approaching_target": 98, "requires_improvement": 96}
        for measure in change.get("measures") or ():
            measure["ratings"] = ratings
        with pytest.raises(ValidationError, match=complaint):
            ServiceTerms.model_validate(terms.model_dump(mode="json") | change)

    def test_that_promise_a_measure_twice_are_refused(self, terms: ServiceTerms) -> None:
        twice = [*terms.model_dump(mode="json")["measures"], terms.measures[0].model_dump(mode="json")]
        with pytest.raises(ValidationError, match="promised twice: availability"):
            ServiceTerms.model_validate(terms.model_dump(mode="json") | {"measures": twice})
