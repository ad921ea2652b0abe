"""A service report: an agency's month, ready for display."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from orchestrator.domain.service_levels.closed_month import CreditNote
from orchestrator.domain.service_levels.declaration_kind import DeclarationKind
from orchestrator.domain.service_levels.incidents import IncidentPriority, Outcome
from orchestrator.domain.service_levels.month_record import DrillDue
from orchestrator.domain.service_levels.rating import Rating
from orchestrator.domain.service_levels.terms import Indicator
from orchestrator.domain.value import Value


class MeasureLine(Value):
    """Percentages; `achieved` is None when there was nothing to judge."""

    measure: str
    indicator: Indicator
    target: Decimal
    achieved: Decimal | None
    provisional: bool
    forgiven: bool
    missed: bool
    missed_before: bool
    points: int
    rating: Rating


class DayLine(Value):
    """Figures of a day, in seconds."""

    day: date
    eligible: int
    bad: int
    unmeasured: int


class ServiceLine(Value):
    """Figures of the month, in seconds, and by day. `percent` is None if no time was eligible."""

    component: str
    title: str
    eligible: int
    bad: int
    unmeasured: int
    coverage: Decimal
    percent: Decimal | None
    days: tuple[DayLine, ...]


class ClockLine(Value):
    elapsed: timedelta
    outcome: Outcome
    due_at: datetime | None


class IncidentLine(Value):
    number: str
    priority: IncidentPriority
    reported_at: datetime
    response: ClockLine
    fix: ClockLine


class OnboardingLine(Value):
    ordered_at: datetime
    in_service_at: datetime
    in_time: bool


class AgreedLine(Value):
    """Maintenance, an exclusion, or a reported outage, which counts as downtime. `objection` is why agreed time counts
    nevertheless, if it does."""

    component: str
    kind: DeclarationKind
    starts_at: datetime
    ends_at: datetime
    objection: str | None


class TrendPoint(Value):
    month: str
    achieved: dict[str, Decimal | None]


class Report(Value):
    """`version` is None until the month is closed. Money is in pounds."""

    agency: str
    name: str
    framework: str
    authority: str
    supplier: str
    month: str
    until: datetime
    time_zone: str
    version: int | None
    closed_at: datetime | None
    why: str | None
    provisional: bool
    charges: Decimal
    credit: Decimal
    points: int
    credit_notes: tuple[CreditNote, ...]
    measures: tuple[MeasureLine, ...]
    services: tuple[ServiceLine, ...]
    incidents: tuple[IncidentLine, ...]
    onboardings: tuple[OnboardingLine, ...]
    drills: tuple[DrillDue, ...]
    backups: int
    backups_failed: int
    agreed: tuple[AgreedLine, ...]
    trend: tuple[TrendPoint, ...]
    """The earlier closed months and this one, oldest first."""

    @property
    def missed(self) -> tuple[MeasureLine, ...]:
        return tuple(line for line in self.measures if line.missed)

    @property
    def judged(self) -> int:
        """The number of measures with something to judge."""
        return sum(line.achieved is not None for line in self.measures)

    @property
    def unseen(self) -> tuple[ServiceLine, ...]:
        """Services with service time of which none was measured."""
        return tuple(line for line in self.services if line.eligible and line.percent is None)
