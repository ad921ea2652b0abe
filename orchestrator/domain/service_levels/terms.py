"""What an agreement promises, measure by measure, and what a missed promise costs the provider."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.domain.service_levels.availability import AvailabilityTerms, Unmeasured
from orchestrator.domain.service_levels.credits import LinearCredit, Percent, PointsCredit, PointsTable
from orchestrator.domain.service_levels.figures import (
    Achieved,
    Figures,
    Measure,
    figures_by_points,
    figures_by_shortfall,
)
from orchestrator.domain.service_levels.hours import ServiceHours
from orchestrator.domain.service_levels.incidents import CountsRule, IncidentPriority, IncidentTargets
from orchestrator.domain.service_levels.rating import RatingScale
from orchestrator.domain.value import Value


class Indicator(StrEnum):
    """What is measured. The first three are judged separately for each service or priority: `availability/desktop`,
    `incident-fix/p1`."""

    AVAILABILITY = "availability"
    INCIDENT_RESPONSE = "incident-response"
    INCIDENT_FIX = "incident-fix"
    LEAD_TIME = "onboarding-lead-time"
    """Share of orders that were in service in time."""
    BACKUPS = "backups"
    """Share of backups that succeeded."""
    DRILLS = "drills"
    """Share of drills due that were carried out and passed."""
    RECOVERY_TIME = "recovery-time"
    """Share of measured drills that kept the recovery time objective."""
    RECOVERY_POINT = "recovery-point"


def measure_of(indicator: Indicator, of: str = "") -> Measure:
    """The name under which a part of an indicator is judged."""
    return f"{indicator.value}/{of}" if of else indicator.value


def indicator_of(measure: Measure) -> Indicator:
    """The indicator of a measure: the inverse of `measure_of`."""
    return Indicator(measure.partition("/")[0])


class Promise(Value):
    """The target of some measures, with a table of points or a shortfall below the target, and their ratings."""

    of: Annotated[tuple[Indicator, ...], Field(min_length=1)]
    points: PointsTable | None = None
    shortfall: LinearCredit | None = None
    ratings: RatingScale

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.points is None) == (self.shortfall is None):
            raise ValueError("needs either points or shortfall, not both")
        return self

    @property
    def target(self) -> Decimal:
        """The target, in percent."""
        kept = self.points or self.shortfall
        assert kept is not None
        return kept.target


class ServiceTerms(Value):
    """The service levels of an agreement. A tier may have other hours."""

    hours: ServiceHours
    maintenance_notice: Annotated[timedelta, Field(ge=timedelta(0))]
    unmeasured: Unmeasured
    incidents: Mapping[IncidentPriority, IncidentTargets] = {}
    few_incidents: CountsRule = CountsRule()
    onboarding_days: Annotated[int, Field(ge=1)]
    """Working days from the order until it is in service."""
    measures: tuple[Promise, ...]
    credits: PointsCredit | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        named = [indicator for promise in self.measures for indicator in promise.of]
        if twice := {indicator.value for indicator in named if named.count(indicator) > 1}:
            raise ValueError(f"promised twice: {', '.join(sorted(twice))}")
        by_points = [promise.points is not None for promise in self.measures]
        if any(by_points) and not all(by_points):
            raise ValueError("all measures must have points, or all a shortfall")
        if any(by_points) != (self.credits is not None):
            raise ValueError(
                "credits are the price of a point: measures with points need them, and others must not have them"
            )
        return self

    def availability(self, hours: ServiceHours | None = None) -> AvailabilityTerms:
        """The terms, with the hours of the tier if it has its own."""
        return AvailabilityTerms(hours=hours or self.hours, notice=self.maintenance_notice, unmeasured=self.unmeasured)

    def promise(self, measure: Measure) -> Promise | None:
        """The promise for a measure; None if there is none."""
        return next((promise for promise in self.measures if indicator_of(measure) in promise.of), None)

    def judge(
        self, achieved: Mapping[Measure, Achieved], *, charges: Decimal, missed_before: frozenset[Measure]
    ) -> Figures:
        """Judge the measures of a month. Measures without a promise are left out."""
        promised = {measure: promise for measure in achieved if (promise := self.promise(measure))}
        if self.credits is None:
            linear = {measure: p.shortfall for measure, p in promised.items() if p.shortfall}
            return figures_by_shortfall(achieved, linear, charges=charges)
        tables = {measure: p.points for measure, p in promised.items() if p.points}
        return figures_by_points(achieved, tables, self.credits, charges=charges, missed_before=missed_before)


def in_time(rule: CountsRule, *, incidents: int, late: int) -> Achieved:
    """The share of incidents in time, and whether it meets the rule. Without incidents there is nothing to judge."""
    if not incidents:
        return Achieved(percent=None)
    met = rule.met(incidents=incidents, late=late)
    few = incidents < rule.few
    return Achieved(percent=share(incidents - late, incidents), forgiven=few and met is True, kept=met)


def share(part: int, whole: int) -> Percent | None:
    """The share in percent; None if the whole is zero."""
    return Decimal(part * 100) / Decimal(whole) if whole else None
