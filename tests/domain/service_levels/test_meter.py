"""A service's counters, compared with the figure of the whole period."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.calendars.spans import Span, Spans, instant_at, intersect, second_of, total, union
from orchestrator.domain.service_levels.availability import AvailabilityTerms, Unmeasured, availability
from orchestrator.domain.service_levels.clock import ServiceClock
from orchestrator.domain.service_levels.hours import service_spans
from orchestrator.domain.service_levels.meter import Tally, read_meter
from orchestrator.domain.service_levels.record import Exclusion, Maintenance, Outage, ServiceRecord, State, Transition
from tests.domain.service_levels.vectors import ACCEPTED, OFFICE, is_bank_holiday, london

START = second_of(london("2026-04-01T00:00"))
DAYS = 20
END = START + DAYS * 86400
CLOCK = ServiceClock(service_spans(OFFICE, within=Span(START, END), is_bank_holiday=is_bank_holiday))

seconds = st.integers(START, END)


def terms(rule: Unmeasured) -> AvailabilityTerms:
    return AvailabilityTerms(hours=OFFICE, notice=timedelta(0), unmeasured=rule)


def timeline(draw: Any, until: int) -> tuple[Transition, ...]:
    at = sorted(draw(st.sets(st.integers(START, until - 1), max_size=6)))
    return tuple(Transition(at=instant_at(second), state=draw(st.sampled_from(State))) for second in at)


@given(data=st.data(), until=st.integers(START + 1, END), rule=st.sampled_from(Unmeasured))
def test_a_meter_continues_as_if_it_were_read_again(data: st.DataObject, until: int, rule: Unmeasured) -> None:
    """Read once and extrapolated twice while nothing changes, it equals a meter that is read only at the end."""
    parts = {name: timeline(data.draw, until) for name in ("tcp", "dns")}
    record, later = ServiceRecord(parts=parts), data.draw(st.integers(until, END))
    early, whole = Span(START, until), Span(START, later)
    between = data.draw(st.integers(until, later))
    meter = read_meter(CLOCK, terms(rule), record, life=early, month=early).at(between, CLOCK).at(later, CLOCK)
    figure = availability(terms(rule), record, within=whole, is_bank_holiday=is_bank_holiday)
    assert meter.life == meter.month == Tally.of(figure)


@given(spans=st.lists(st.tuples(seconds, seconds).map(sorted), max_size=5))
def test_a_clock_counts_the_service_hours_in_a_stretch(spans: list[list[int]]) -> None:
    hours: Spans = service_spans(OFFICE, within=Span(START, END), is_bank_holiday=is_bank_holiday)
    asked = union(Span(*edges) for edges in spans)
    assert CLOCK.seconds(asked) == total(intersect(hours, asked))


def test_a_late_declaration_changes_the_month_but_no_counter() -> None:
    up = (Transition(at=instant_at(START), state=State.UP),)
    down = (*up, Transition(at=london("2026-04-09T09:00"), state=State.DOWN))
    day = {"start": london("2026-04-09T08:00"), "end": london("2026-04-09T18:00")}
    within = Span(START, second_of(london("2026-04-10T00:00")))
    excluded = Exclusion.model_validate({"why": "theirs", "acceptance": ACCEPTED, **day})
    for record, counted, in_month in (
        (ServiceRecord(parts={"tcp": down}), 9, 9),
        (ServiceRecord(parts={"tcp": down}, exclusions=(excluded,)), 9, 0),
        (ServiceRecord(parts={"tcp": up}, outages=(Outage(reference="7", **day),)), 0, 10),
    ):
        meter = read_meter(CLOCK, terms(Unmeasured.FLAGGED), record, life=within, month=within)
        assert (meter.life.bad, meter.month.bad) == (counted * 3600, in_month * 3600)


def test_a_declared_outage_is_no_measured_state() -> None:
    up = (Transition(at=instant_at(START), state=State.UP),)
    outage = Outage(reference="7", start=london("2026-04-09T08:00"), end=london("2026-04-09T18:00"))
    within = Span(START, second_of(london("2026-04-09T12:00")))
    record = ServiceRecord(parts={"tcp": up}, outages=(outage,))
    assert read_meter(CLOCK, terms(Unmeasured.DOWN), record, life=within, month=within).state is State.UP


def test_a_meter_that_holds_until_something_changes_still_does_so_later() -> None:
    up = (Transition(at=instant_at(START), state=State.UP),)
    planned = {"start": london("2026-04-09T08:00"), "end": london("2026-04-09T18:00"), "acceptance": ACCEPTED}
    work = Maintenance.model_validate({"announced_at": instant_at(START), **planned})
    record, begins = ServiceRecord(parts={"tcp": up}, maintenance=(work,)), second_of(work.start)
    within = Span(START, begins - 7200)
    meter = read_meter(CLOCK, terms(Unmeasured.DOWN), record, life=within, month=within).at(begins - 3600, CLOCK)
    assert (meter.holds(begins), meter.holds(begins + 1)) == (True, False)


@pytest.mark.parametrize("rule", Unmeasured)
def test_a_service_that_was_never_measured_is_never_up(rule: Unmeasured) -> None:
    within = Span(START, END)
    tally = read_meter(CLOCK, terms(rule), ServiceRecord(), life=within, month=within).life
    assert tally.coverage == 0
    assert tally.eligible == tally.bad == (tally.due if rule is Unmeasured.DOWN else 0)
