"""Each incident is judged in exactly one month, whenever it was reported, answered, put on hold and fixed.

The oracle walks through half hours one by one and knows nothing of spans.
"""

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.service_levels.incidents import Hold, Incident, IncidentPriority
from orchestrator.domain.service_levels.month_record import MonthRecord, achieved
from orchestrator.domain.service_levels.terms import ServiceTerms
from tests.domain.conftest import agreement
from tests.domain.service_levels.vectors import LONDON, OFFICE, is_bank_holiday, london

__all__ = ["agreement"]

HALF = timedelta(minutes=30)
JUNE, LAST = CalendarMonth.named("2026-06"), CalendarMonth.named("2026-10")
FIX = {"p1": timedelta(hours=4), "p3": timedelta(hours=20)}
FIRST = london("2026-06-25T00:00")
TARGETS = {priority: {"response": timedelta(minutes=30), "fix": fix} for priority, fix in FIX.items()}


@pytest.fixture(scope="module")
def terms(agreement: FrameworkAgreement) -> ServiceTerms:
    told = agreement.service_levels.model_dump() | {"hours": OFFICE, "incidents": TARGETS}
    return ServiceTerms.model_validate(told)


def months() -> list[CalendarMonth]:
    found = [JUNE]
    while found[-1] != LAST:
        found.append(found[-1].following)
    return found


def judged(terms: ServiceTerms, incident: Incident) -> dict[str, bool]:
    """month -> whether the fix was in time, of every month in which closing it judged the fix."""
    found = {}
    for month in months():
        end = datetime.combine(month.following.first, datetime.min.time(), LONDON)
        record = MonthRecord(agency="a-one", month=month, terms=terms, until=end, incidents={"1": incident.as_of(end)})
        share = achieved(record, {}, is_bank_holiday=is_bank_holiday)[f"incident-fix/{incident.priority}"].percent
        if share is not None:
            found[str(month)] = share == 100
    return found


def expected(incident: Incident) -> dict[str, bool]:
    """By counting half hours in which the desk was open and nobody waited for the customer."""
    left = FIX[incident.priority]
    at = incident.reported_at
    while at < london("2026-11-01T00:00"):
        local = at.astimezone(LONDON)
        if at == incident.fixed_at:
            return {f"{local:%Y-%m}": True}
        is_open = local.weekday() < 5 and 8 <= local.hour < 18 and not is_bank_holiday(local.date())
        waits = any(hold.start <= at and (hold.end is None or at < hold.end) for hold in incident.holds)
        if is_open and not waits:
            if not left:
                return {f"{local:%Y-%m}": False}
            left -= HALF
        at += HALF
    return {}


halves = st.integers(0, 48 * 60)


@st.composite
def incidents(draw: st.DrawFn) -> Incident:
    """Reported late in June or in July; fixed, if ever, up to two months later; waited with up to three times."""
    reported = FIRST + draw(halves) * HALF
    fixed = draw(st.none() | halves)
    holds = []
    for start, length in draw(st.lists(st.tuples(halves, st.none() | st.integers(0, 200)), max_size=3)):
        begins = reported + start % 400 * HALF
        holds.append(Hold(start=begins, end=None if length is None else begins + length * HALF))
    return Incident(
        priority=draw(st.sampled_from([IncidentPriority.P1, IncidentPriority.P3])),
        reported_at=reported,
        fixed_at=None if fixed is None else reported + fixed * HALF,
        holds=tuple(holds),
    )


AT_THE_VERY_END = Incident(
    priority=IncidentPriority.P3, reported_at=london("2026-07-29T20:00"), fixed_at=london("2026-08-05T12:00")
)
"""Twenty service hours are over with the last one of July, and it is late with the first second of August."""


@given(incident=incidents())
@example(incident=AT_THE_VERY_END)
def test_each_incident_is_judged_in_one_month(terms: ServiceTerms, incident: Incident) -> None:
    assert judged(terms, incident) == expected(incident)


def test_a_target_in_the_last_service_second_of_a_month_is_missed_in_the_next(terms: ServiceTerms) -> None:
    assert judged(terms, AT_THE_VERY_END) == {"2026-08": False}


def test_a_fix_counts_as_an_answer(terms: ServiceTerms) -> None:
    """Without a recorded answer, the answer's clock stops at the fix; otherwise it would be judged in no month."""
    fixed = AT_THE_VERY_END.model_copy(update={"fixed_at": london("2026-07-30T08:30")})
    july = CalendarMonth.named("2026-07")
    end = london("2026-08-01T00:00")
    record = MonthRecord(agency="a-one", month=july, terms=terms, until=end, incidents={"1": fixed})
    assert achieved(record, {}, is_bank_holiday=is_bank_holiday)["incident-response/p3"].percent == 100
