"""Any number of agencies with windows, time zones and blackouts of many kinds, for the planner of drills."""

from collections.abc import Iterator
from datetime import date, timedelta

from orchestrator.domain.recovery.fleet_calendar import DrillRequest
from orchestrator.domain.selling.drill_policy import Blackout, DrillPolicy, Window

ZONES = ("Europe/London", "Europe/Paris", "Europe/Athens", "America/St_Johns")
HOURS = (
    (("sat", "sun"), "08:00", "20:00"),
    (("sat",), "06:00", "14:00"),
    (("mon", "tue", "wed", "thu", "fri"), "20:00", "04:00"),
    (("mon", "tue", "wed", "thu"), "18:00", "23:00"),
    (("sun",), "00:00", "00:00"),
)
MINUTES = (45, 60, 90, 120, 180)
YEAR_END = Blackout(start=date(2027, 12, 20), end=date(2028, 1, 3), why="year end")


def fleet(agencies: int, *, sites: int) -> Iterator[DrillRequest]:
    """Four drills a year each. Every agency has a fortnight of its own in which it takes none."""
    for number in range(agencies):
        days, start, end = HOURS[number % len(HOURS)]
        own = date(2027, number % 12 + 1, 5)
        policy = DrillPolicy(
            windows=(Window.model_validate({"days": days, "start": start, "end": end}),),
            blackouts=(YEAR_END, Blackout(start=own, end=own + timedelta(days=14))),
            time_zone=ZONES[number // 7 % len(ZONES)],
            lasts=timedelta(minutes=MINUTES[number * 7 % 11 % len(MINUTES)]),
        )
        yield DrillRequest(f"agency-{number}", "desktop", f"site-{number % sites}", policy)
