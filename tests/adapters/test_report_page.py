"""The page of a service report shows what the report says, and nothing in it is active."""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.adapters.pages.report import pictures
from orchestrator.adapters.pages.report.page import draw
from orchestrator.domain.service_levels.incidents import Outcome
from orchestrator.domain.service_levels.rating import Rating
from orchestrator.domain.service_levels.report import (
    DayLine,
    IncidentLine,
    MeasureLine,
    Report,
    ServiceLine,
    TrendPoint,
)
from orchestrator.domain.service_levels.terms import Indicator
from tests.adapters.test_evidence_page import Reader
from tests.domain.service_levels.vectors import london

EVIL = "<script>alert(1)</script>&\"'"


def measure(name: str = "availability/desktop", **given: Any) -> MeasureLine:
    plain = {
        "measure": name, "indicator": Indicator(name.partition("/")[0]), "target": Decimal(99),
        "achieved": Decimal("96.8"), "provisional": False, "forgiven": False, "missed": True, "missed_before": True,
        "points": 6, "rating": Rating.REQUIRES_IMPROVEMENT,
    }  # fmt: skip
    return MeasureLine.model_validate(plain | given)


def service(*days: tuple[int, int, int]) -> ServiceLine:
    """Days of (eligible, bad, unmeasured) seconds, from 1 April on."""
    lines = [
        DayLine(day=date(2026, 4, 1) + timedelta(days=n), eligible=eligible, bad=bad, unmeasured=unmeasured)
        for n, (eligible, bad, unmeasured) in enumerate(days)
    ]
    return ServiceLine(
        component="desktop", title="Desktop", eligible=72000, bad=3600, unmeasured=0, coverage=Decimal(1),
        percent=Decimal(95), days=tuple(lines),
    )  # fmt: skip


def report(**given: Any) -> Report:
    late = {"elapsed": timedelta(hours=5), "outcome": Outcome.LATE, "due_at": None}
    plain = {
        "agency": "cabinet-office", "name": "Cabinet Office", "framework": "Flex", "authority": "A", "supplier": "S",
        "month": "2026-04", "until": london("2026-05-01T00:00"), "time_zone": "Europe/London", "version": 2,
        "closed_at": london("2026-05-02T09:00"), "why": "late evidence", "provisional": False,
        "charges": Decimal("666666.67"), "credit": Decimal("23333.33"), "points": 6,
        "credit_notes": [
            {"agency": "cabinet-office", "month": {"year": 2026, "number": 4}, "version": 2, "amount": "-12.50"}
        ],
        "measures": [measure(), measure("drills", achieved=None, missed=False, points=0, rating=Rating.OTHER)],
        "services": [service((36000, 3600, 0), (36000, 0, 0), (0, 0, 0))],
        "incidents": [
            IncidentLine.model_validate(
                {"number": "7", "priority": "p1", "reported_at": london("2026-04-07T09:00"), "response": late,
                 "fix": late | {"outcome": "in_time"}}
            )
        ],
        "onboardings": [], "drills": [], "backups": 3, "backups_failed": 1, "agreed": [],
        "trend": [
            TrendPoint(month="2026-03", achieved={"availability/desktop": Decimal(98)}),
            TrendPoint(month="2026-04", achieved={"availability/desktop": Decimal("96.8")}),
        ],
    }  # fmt: skip
    return Report.model_validate(plain | given)


def words(**given: Any) -> str:
    return re.sub(r"\s+", " ", Reader(draw(report(**given)).replace("><", "> <")).words)


@pytest.mark.parametrize(
    "said",
    [
        "Cabinet Office", "1 missed", "Availability of desktop: 96.8 % of 99 %, for the second month running",
        "£23,333.33", "for 6 points", "because: late evidence", "requires improvement", "nothing to judge", "-£12.50",
        "1 April: 1 h down", "2 April: up", "3 April: no service hours", "7 P1 7 April, 09:00 5 h late 5 h in time",
        "3 backups succeeded, 1 failed", "2026-03: 98 %",
    ],
)  # fmt: skip
def test_the_page_shows_the_whole_report(said: str) -> None:
    assert said in words()


def test_a_month_that_is_not_closed_is_marked_as_provisional() -> None:
    said = words(version=None, closed_at=None, why=None, provisional=True, credit_notes=[], measures=[])
    assert "not closed: as known on 30 April 2026" in said
    assert "Provisional: the month is not closed" in said


UNKNOWN = {"missed": False, "missed_before": False, "points": 0, "achieved": None, "rating": Rating.OTHER}
KEPT = UNKNOWN | {"achieved": Decimal(100), "rating": Rating.GOOD}


def test_a_month_without_measurements_is_not_headed_as_kept() -> None:
    said = words(measures=[measure(**UNKNOWN), measure("backups", **UNKNOWN)], backups=0, backups_failed=0)
    assert "All kept" not in said
    assert "Nothing to judge Nothing was measured that a service level could be judged by." in said
    assert 'class="verdict pass"' not in draw(report(measures=[measure(**UNKNOWN)]))


def test_a_service_that_nobody_measured_is_named() -> None:
    unseen = service((36000, 0, 36000)).model_copy(update={"unmeasured": 72000, "bad": 0, "percent": None})
    said = words(measures=[measure(**UNKNOWN), measure("backups", **KEPT)], services=[unseen])
    assert "Kept as far as measured No service level was missed. Not measured at all: Desktop." in said


def test_a_month_in_which_everything_was_kept_is_headed_so() -> None:
    assert "All kept No service level was missed. Credit" in words(measures=[measure(**KEPT)])


def test_a_reported_outage_is_listed_beside_what_was_agreed() -> None:
    no = "the agency has not accepted it"
    agreed = [
        {"component": "desktop", "kind": kind, "starts_at": london("2026-04-07T09:00"),
         "ends_at": london("2026-04-07T11:30"), "objection": objection}
        for kind, objection in (("outage", None), ("maintenance", None), ("exclusion", no))
    ]  # fmt: skip
    said = words(agreed=agreed)
    assert "desktop outage 7 April, 09:00 7 April, 11:30 yes, as time down" in said
    assert "desktop maintenance 7 April, 09:00 7 April, 11:30 no" in said
    assert f"yes: {no}" in said


def test_nothing_on_the_page_is_active() -> None:
    page = Reader(draw(report(name=EVIL, why=EVIL)))
    assert {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe"} == set()
    assert EVIL in page.words


def test_an_outage_of_a_second_is_visible_and_none_is_taller_than_its_day() -> None:
    short, whole, unknown = pictures.strip(service((36000, 1, 0), (36000, 36000, 0), (0, 0, 36000)))
    assert short.bad == pictures.SMALLEST_BAD
    assert whole.bad == pictures.STRIP
    assert (unknown.served, unknown.unmeasured) == (True, pictures.STRIP)


def test_a_trend_shows_which_months_were_kept() -> None:
    figures = [Decimal("99.5"), None, Decimal(99), Decimal("98.9")]
    trend = [
        TrendPoint(month=f"2026-0{n}", achieved={"availability/desktop": figure})
        for n, figure in enumerate(figures, start=1)
    ]
    [graph] = pictures.graphs([measure()], trend)
    assert [(point.month, point.kept) for point in graph.points] == [
        ("2026-01", True), ("2026-03", True), ("2026-04", False),
    ]  # fmt: skip
    assert graph.points[1].y == graph.target
    assert 0 < graph.points[0].y < graph.target < graph.points[2].y < pictures.GRAPH_HEIGHT
