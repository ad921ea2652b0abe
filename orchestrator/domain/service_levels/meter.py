"""A service's two counters: seconds that were due and measured, and those of them in which it was down.

They never fall. What people declare afterwards, such as an unmeasured outage or an exclusion, changes months and their
credits, but no counter.
"""

from typing import NamedTuple

from orchestrator.domain.calendars.spans import Span
from orchestrator.domain.service_levels.availability import Availability, AvailabilityTerms, Unmeasured, availability_by
from orchestrator.domain.service_levels.clock import ServiceClock
from orchestrator.domain.service_levels.record import ServiceRecord, State, next_edge, state_at


class Tally(NamedTuple):
    """Seconds, as in `Availability`."""

    due: int
    eligible: int
    bad: int
    unmeasured: int

    @classmethod
    def of(cls, figure: Availability) -> "Tally":
        return cls(figure.due, figure.eligible, figure.bad, figure.unmeasured)

    def after(self, seconds: int, state: State, rule: Unmeasured) -> "Tally":
        """The tally with additional seconds due, all in one state."""
        known, fails = state is not State.UNKNOWN, rule is Unmeasured.DOWN
        return Tally(
            self.due + seconds,
            self.eligible + (seconds if known or fails else 0),
            self.bad + (seconds if state is State.DOWN or (fails and not known) else 0),
            self.unmeasured + (0 if known else seconds),
        )

    @property
    def ratio(self) -> float | None:
        """Availability, 0 to 1; None if no time is eligible."""
        return (self.eligible - self.bad) / self.eligible if self.eligible else None

    @property
    def coverage(self) -> float:
        return (self.due - self.unmeasured) / self.due if self.due else 1.0


class Meter(NamedTuple):
    """A service's tallies at the second `until`: since it began, and in the current month. It can be extrapolated up to
    `holds_to`, where the record changes; None means for ever."""

    until: int
    state: State
    rule: Unmeasured
    life: Tally
    month: Tally
    holds_to: int | None

    @property
    def settled(self) -> bool:
        """Whether it can be extrapolated."""
        return self.holds_to is None or self.holds_to > self.until

    def holds(self, second: int) -> bool:
        return self.holds_to is None or second <= self.holds_to

    def at(self, second: int, clock: ServiceClock) -> "Meter":
        """The meter at a later second, up to which it holds."""
        more, state, rule = clock.at(second) - clock.at(self.until), self.state, self.rule
        life, month = self.life.after(more, state, rule), self.month.after(more, state, rule)
        return Meter(second, state, rule, life, month, self.holds_to)


def turned(meter: Meter, begins_at: int, clock: ServiceClock) -> Meter:
    """The meter at the beginning of a new month, at a second after it was read."""
    return meter.at(begins_at, clock)._replace(month=Tally(0, 0, 0, 0))


def read_meter(
    clock: ServiceClock, terms: AvailabilityTerms, record: ServiceRecord, *, life: Span, month: Span
) -> Meter:
    """Compute the meter from all records up to the end of both spans. The counters include what was measured and agreed
    beforehand; the month includes everything known about it."""
    measured = record.model_copy(update={"outages": (), "exclusions": ()})
    return Meter(
        life.end,
        state_at(record, life.end),
        terms.unmeasured,
        Tally.of(availability_by(clock, terms, measured, within=life)),
        Tally.of(availability_by(clock, terms, record, within=month)),
        next_edge(record, life.end),
    )
