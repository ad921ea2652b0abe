"""What a service's two counters show: seconds that were due and measured, and of them those it was down.

They only ever rise. What people declare afterwards, an outage nobody measured or time to be let pass, changes months
and their credits, but no counter.
"""

from typing import NamedTuple

from orchestrator.domain.calendars.spans import Span
from orchestrator.domain.service_levels.availability import Availability, AvailabilityTerms, Unmeasured, availability_by
from orchestrator.domain.service_levels.clock import ServiceClock
from orchestrator.domain.service_levels.record import ServiceRecord, State, next_edge, state_at


class Tally(NamedTuple):
    """Seconds, as in an `Availability`."""

    due: int
    eligible: int
    bad: int
    unmeasured: int

    @classmethod
    def of(cls, figure: Availability) -> "Tally":
        return cls(figure.due, figure.eligible, figure.bad, figure.unmeasured)

    def after(self, seconds: int, state: State, rule: Unmeasured) -> "Tally":
        """With so many more seconds due, in one state."""
        known, fails = state is not State.UNKNOWN, rule is Unmeasured.DOWN
        return Tally(
            self.due + seconds,
            self.eligible + (seconds if known or fails else 0),
            self.bad + (seconds if state is State.DOWN or (fails and not known) else 0),
            self.unmeasured + (0 if known else seconds),
        )

    @property
    def ratio(self) -> float | None:
        """Availability, 0 to 1; None when no time is eligible."""
        return (self.eligible - self.bad) / self.eligible if self.eligible else None

    @property
    def coverage(self) -> float:
        return (self.due - self.unmeasured) / self.due if self.due else 1.0


class Meter(NamedTuple):
    """A service's tallies at the second `until`: since it began, and in the month that goes on. It goes on by itself up
    to `holds_to`, where the record says something new; None: for ever."""

    until: int
    state: State
    rule: Unmeasured
    life: Tally
    month: Tally
    holds_to: int | None

    @property
    def settled(self) -> bool:
        """Whether it goes on at all."""
        return self.holds_to is None or self.holds_to > self.until

    def holds(self, second: int) -> bool:
        return self.holds_to is None or second <= self.holds_to

    def at(self, second: int, clock: ServiceClock) -> "Meter":
        """Read later, at a second to which it holds."""
        more, state, rule = clock.at(second) - clock.at(self.until), self.state, self.rule
        life, month = self.life.after(more, state, rule), self.month.after(more, state, rule)
        return Meter(second, state, rule, life, month, self.holds_to)


def turned(meter: Meter, begins_at: int, clock: ServiceClock) -> Meter:
    """As a new month begins, at a second after the meter was read."""
    return meter.at(begins_at, clock)._replace(month=Tally(0, 0, 0, 0))


def read_meter(
    clock: ServiceClock, terms: AvailabilityTerms, record: ServiceRecord, *, life: Span, month: Span
) -> Meter:
    """By all that is on record up to the end of both spans. The counters know what was measured and agreed beforehand;
    the month everything that is known of it."""
    measured = record.model_copy(update={"outages": (), "exclusions": ()})
    return Meter(
        life.end,
        state_at(record, life.end),
        terms.unmeasured,
        Tally.of(availability_by(clock, terms, measured, within=life)),
        Tally.of(availability_by(clock, terms, record, within=month)),
        next_edge(record, life.end),
    )
