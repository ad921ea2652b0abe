"""The clocks of an incident, in service time, and how many may be late."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.domain.calendars.spans import Spans, between, instant_at, second_of, union
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.service_levels.hours import service_spans
from orchestrator.domain.service_levels.incidents import (
    CountsRule,
    Incident,
    IncidentPriority,
    IncidentTargets,
    Outcome,
    fix_clock,
    response_clock,
)
from tests.domain.service_levels.vectors import OFFICE, VECTORS, is_bank_holiday, london

HOUR = timedelta(hours=1)
TERMS = {
    IncidentPriority.P1: IncidentTargets(response=HOUR / 4, fix=4 * HOUR),
    IncidentPriority.P3: IncidentTargets(response=2 * HOUR, fix=20 * HOUR),
}
MANY = CountsRule(percent_in_time=Decimal(95))
NOW = london("2026-04-30T12:00")
SERVICE = service_spans(
    OFFICE, within=between(london("2026-04-01T00:00"), london("2026-05-01T00:00")), is_bank_holiday=is_bank_holiday
)


def incident(reported: str, fixed: str | None = None, *holds: tuple[str, str | None], **given: Any) -> Incident:
    return Incident(
        priority=given.pop("priority", IncidentPriority.P1),
        reported_at=london(reported),
        fixed_at=fixed and london(fixed),
        holds=[{"start": london(start), "end": end and london(end)} for start, end in holds],
        **given,
    )


def fix(found: Incident, *, now: datetime = NOW) -> tuple[float, Outcome, datetime | None]:
    clock = fix_clock(found, TERMS, service=SERVICE, now=now)
    return clock.elapsed / HOUR, clock.outcome, clock.due_at


class TestTheClock:
    def test_runs_in_service_hours(self) -> None:
        """Reported on Maundy Thursday, an hour before the end; Easter Monday is no working day either."""
        assert fix(incident("2026-04-02T17:00", "2026-04-07T11:00")) == (4, Outcome.IN_TIME, london("2026-04-07T11:00"))

    def test_is_late_one_second_after_the_target(self) -> None:
        assert fix(incident("2026-04-02T17:00", "2026-04-07T11:00:01"))[1] is Outcome.LATE

    @pytest.mark.parametrize(
        ("reported", "fixed", "decided"),
        [
            ("2026-04-14T09:00", "2026-04-14T11:00", "2026-04-14T11:00"),
            ("2026-04-14T09:00", "2026-04-14T17:00", "2026-04-14T13:00"),
            ("2026-04-14T14:00", "2026-04-15T17:00", "2026-04-15T08:00"),  # four hours were over as the day was
            ("2026-04-14T17:00", None, "2026-04-15T11:00"),
        ],
    )
    def test_is_decided_when_it_is_stopped_or_in_the_first_second_beyond_the_target(
        self, reported: str, fixed: str | None, decided: str
    ) -> None:
        clock = fix_clock(incident(reported, fixed), TERMS, service=SERVICE, now=NOW)
        assert clock.decided_at == london(decided)

    def test_begins_with_the_service_hours(self) -> None:
        assert fix(incident("2026-04-11T03:00", "2026-04-13T09:30"))[0] == 1.5

    def test_stops_while_the_desk_waits_for_the_customer(self) -> None:
        held = incident(
            "2026-04-14T09:00",
            "2026-04-14T16:00",
            ("2026-04-14T10:00", "2026-04-14T12:30"),
            ("2026-04-14T12:00", "2026-04-14T13:00"),
        )
        assert fix(held) == (4, Outcome.IN_TIME, london("2026-04-14T16:00"))

    def test_stays_stopped_as_long_as_the_desk_waits_for_the_customer(self) -> None:
        held = incident("2026-04-14T09:00", None, ("2026-04-14T10:00", None))
        assert fix(held) == (1, Outcome.RUNNING, None)

    def test_shows_when_the_time_runs_out(self) -> None:
        assert fix(incident("2026-04-14T15:00"), now=london("2026-04-14T16:00")) == (
            1,
            Outcome.RUNNING,
            london("2026-04-15T09:00"),
        )

    def test_is_late_while_it_still_runs(self) -> None:
        assert fix(incident("2026-04-14T09:00"), now=london("2026-04-14T13:00:01"))[1] is Outcome.LATE

    def test_shows_no_deadline_beyond_the_hours_it_knows(self) -> None:
        assert fix(incident("2026-04-30T16:00", "2026-04-30T17:00")) == (1, Outcome.IN_TIME, None)

    def test_for_the_response_stops_at_the_response(self) -> None:
        quick = incident("2026-04-14T09:00", None, responded_at=london("2026-04-14T09:15"))
        assert response_clock(quick, TERMS, service=SERVICE, now=NOW).outcome is Outcome.IN_TIME
        assert fix_clock(quick, TERMS, service=SERVICE, now=NOW).outcome is Outcome.LATE

    def test_has_a_target_for_each_priority_of_the_contract(self) -> None:
        slow = incident("2026-04-14T09:00", "2026-04-15T09:00", priority=IncidentPriority.P3)
        assert fix(slow)[:2] == (10, Outcome.IN_TIME)
        with pytest.raises(OrchestratorError, match="no targets for p2; the contract has p1, p3"):
            fix(incident("2026-04-14T09:00", priority=IncidentPriority.P2))

    def test_without_service_hours_never_moves(self) -> None:
        clock = fix_clock(incident("2026-04-14T09:00"), TERMS, service=(), now=NOW)
        assert clock == (timedelta(0), Outcome.RUNNING, None, None)


def test_an_incident_as_of_an_instant_shows_what_had_happened_by_then() -> None:
    told = incident(
        "2026-04-14T09:00",
        "2026-04-14T12:00",
        ("2026-04-14T09:30", "2026-04-14T10:00"),
        ("2026-04-14T10:30", "2026-04-14T11:30"),
        responded_at=london("2026-04-14T11:00"),
    )

    def known(at: str) -> tuple[datetime | None, datetime | None, list[datetime | None]]:
        seen = told.as_of(london(at))
        assert [hold.start for hold in seen.holds] == [hold.start for hold in told.holds[: len(seen.holds)]]
        return seen.responded_at, seen.fixed_at, [hold.end for hold in seen.holds]

    first, second = (hold.end for hold in told.holds)
    assert known("2026-04-14T09:30") == (None, None, [])
    assert known("2026-04-14T09:59:59") == (None, None, [None])
    assert known("2026-04-14T10:00") == (None, None, [first])
    assert known("2026-04-14T10:59:59") == (None, None, [first, None])
    assert known("2026-04-14T11:00") == (told.responded_at, None, [first, None])
    assert known("2026-04-14T11:30") == (told.responded_at, None, [first, second])
    assert known("2026-04-14T12:00") == (told.responded_at, told.fixed_at, [first, second])


small = st.integers(0, 60)


@given(
    st.lists(st.tuples(small, small), max_size=4).map(lambda given: union(between(*map(instant_at, p)) for p in given)),
    st.lists(st.tuples(small, st.none() | small).filter(lambda h: h[1] is None or h[0] <= h[1]), max_size=3),
    small,
    st.none() | small,
    st.integers(1, 20),
)
def test_the_clock_is_what_an_oracle_counts(
    service: Spans, holds: list[tuple[int, int | None]], reported: int, lasted: int | None, target: int
) -> None:
    terms = {IncidentPriority.P1: IncidentTargets(response=HOUR, fix=timedelta(seconds=target))}
    stopped = None if lasted is None else reported + lasted
    found = Incident.model_validate(
        {
            "priority": "p1",
            "reported_at": instant_at(reported),
            "fixed_at": None if stopped is None else instant_at(stopped),
            "holds": [{"start": instant_at(a), "end": None if b is None else instant_at(b)} for a, b in holds],
        }
    )
    clock = fix_clock(found, terms, service=service, now=instant_at(100))
    ticks = [
        second
        for second in range(reported, 121)
        if any(a <= second < b for a, b in service)
        and not any(a <= second < (121 if b is None else b) for a, b in holds)
    ]
    elapsed = sum(second < (100 if stopped is None else stopped) for second in ticks)
    assert clock.elapsed == timedelta(seconds=elapsed)
    assert (clock.outcome is Outcome.LATE) is (elapsed > target)
    assert clock.due_at == (instant_at(ticks[target - 1] + 1) if len(ticks) >= target else None)
    assert clock.due_at is None or second_of(clock.due_at) > reported
    decided = ticks[target] if elapsed > target else stopped
    assert clock.decided_at == (None if decided is None else instant_at(decided))


class TestARecordOfAnIncident:
    def test_cannot_be_fixed_before_it_was_reported(self) -> None:
        with pytest.raises(ValidationError, match=r"fixed at .* before it was reported at"):
            incident("2026-04-14T09:00", "2026-04-14T08:59")

    def test_cannot_have_a_hold_that_runs_backward(self) -> None:
        with pytest.raises(ValidationError, match="before its start"):
            incident("2026-04-14T09:00", None, ("2026-04-14T10:00", "2026-04-14T09:00"))


class TestCounts:
    @pytest.mark.parametrize("given", VECTORS["counts"], ids=lambda given: f"{given['late']} of {given['incidents']}")
    def test_are_judged_by_number_or_by_share(self, given: dict[str, Any]) -> None:
        assert MANY.met(incidents=given["incidents"], late=given["late"]) is given["met"]

    @given(st.integers(40, 10_000), st.integers(0, 10_000))
    def test_of_many_incidents_are_judged_by_share(self, incidents: int, late: int) -> None:
        late = min(late, incidents)
        assert MANY.met(incidents=incidents, late=late) is (20 * late <= incidents)

    def test_are_of_many_incidents_from_the_declared_number_on(self) -> None:
        strict = CountsRule(few=40, late_of_few=0, percent_in_time=Decimal(95))
        assert (strict.met(incidents=39, late=1), strict.met(incidents=40, late=1)) == (False, True)

    def test_cannot_have_more_late_than_there_were(self) -> None:
        with pytest.raises(OrchestratorError, match="3 of 2 incidents cannot be late"):
            MANY.met(incidents=2, late=3)
