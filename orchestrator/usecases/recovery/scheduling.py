"""Scheduling drills: drawing them from the policies of all agencies, and starting those that are due.

A drill is recorded ahead, so that it can be approved. It is recorded once, however many schedulers run: its key is
derived from policy and time. A drill that could not start within its window is recorded and logged as missed.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.protection import protected
from orchestrator.domain.recovery.drill_calendar import Occurrence, Skipped, delay_of, drill_key, occurrences
from orchestrator.domain.recovery.drills import UNDER_WAY, Drill, DrillEvent, DrillState
from orchestrator.domain.recovery.fleet_calendar import DrillRequest, FleetCalendar, Placed, plan_calendar
from orchestrator.domain.recovery.recovery_plan import next_backup
from orchestrator.domain.recovery.verdict import DECIDED, Moment
from orchestrator.domain.runs.run import Run
from orchestrator.domain.selling.catalog import KEEPER
from orchestrator.domain.selling.drill_policy import DrillPolicy, effective_policy, expected_duration
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, in_service
from orchestrator.usecases.recovery.drilling import Drilling

log = logging.getLogger(__name__)

BY_SCHEDULE = "the schedule"
PLANNED_AHEAD = timedelta(days=28)
"""How long before it is due a drill is recorded, which leaves time to approve it."""

PLANNED = timedelta(days=120)
WAITING = (DrillState.APPROVAL_PENDING, DrillState.APPROVED)
LONGEST_PERIOD = timedelta(days=2 * 366)

LEAD = timedelta(minutes=2)
"""How long before its disaster a drill at the worst moment begins: the schedule ticks once a minute, and the recovery
host must be examined first."""

JUST_BEFORE = timedelta(seconds=1)
"""The time from the worst moment to the completion of the next backup."""


class Slot(Value):
    """One line of a drill calendar: a drill, or a period without one and the reason."""

    agency: str
    component: str
    site: str
    starts_at: datetime | None
    ends_by: datetime | None
    moment: Moment | None
    drill: int | None = None
    state: DrillState | None = None
    skipped: str | None = None
    first: date | None = None
    until: date | None = None
    key: str | None = None

    @property
    def placed(self) -> Placed | None:
        """The drill as an entry of a calendar."""
        if self.starts_at is None or self.moment is None:
            return None
        occurrence = Occurrence(self.starts_at, self.moment, self.ends_by or self.starts_at)
        return Placed(self.agency, self.component, self.site, occurrence)


@dataclass(frozen=True)
class Scheduling:
    """`lanes` is the number of drills that a recovery host can carry at the same time."""

    source: CatalogSource
    store: Store
    clock: Clock
    drilling: Drilling
    lanes: int

    def plan_ahead(self) -> FleetCalendar:
        """Record the drills of the coming weeks, and withdraw those that the policies no longer contain."""
        now = self.clock.now()
        with self.store.read() as tx:
            requests, kept = list(self._requests(tx)), [_placed(d) for d in self._planned(tx)]
            ended = [d for d in tx.drills.scheduled_since(now - LONGEST_PERIOD) if d.state not in WAITING]
            held = [(d.agency, d.component, d.scheduled_at) for d in ended if d.state is not DrillState.EXPIRED]
        calendar = plan_calendar(
            requests,
            capacity=self._capacity(),
            first=(now - LONGEST_PERIOD).date(),
            until=(now + PLANNED).date(),
            kept=kept,
            held=held,
        )
        coming = {_key(p): p for p in calendar.placed if now < p.occurrence.scheduled_at <= now + PLANNED_AHEAD}
        with self.store.begin() as tx:
            self._withdraw(tx, {_key(p) for p in calendar.placed})
            for key, placed in coming.items():
                if tx.drills.by_key(key) is None:
                    self._record(tx, key, placed)
            self._make_up(tx)
            for unplaced in calendar.unplaced:
                if unplaced.skipped.first <= now.date() < unplaced.skipped.until:
                    self._record_skipped(tx, unplaced.agency, unplaced.component, unplaced.site, unplaced.skipped)
        return calendar

    def start_due(self) -> list[Run]:
        """Open the runs of drills that are due, and record as missed those that can no longer start."""
        with self.store.read() as tx:
            due = [d for d in self._planned(tx) if d.scheduled_at <= self.clock.now()]
        return [run for drill in due if (run := self._start_or_miss(drill)) is not None]

    def calendar(self, agency: str | None = None, *, count: int = 20) -> list[Slot]:
        """Recorded drills, then those that the policies will draw; `count` lines for each component."""
        with self.store.read() as tx:
            requests = list(self._requests(tx, agency))
            planned = self._planned(tx)
        slots = [slot for r in requests for slot in _slots(r, planned, now=self.clock.now(), count=count)]
        return sorted(
            slots, key=lambda s: (s.agency, s.component, s.starts_at.date() if s.starts_at else s.first or date.max)
        )

    # Inside

    def _requests(self, tx: Transaction, agency: str | None = None) -> Iterator[DrillRequest]:
        """What must be rehearsed, with the policy of each."""
        durations = tx.drills.durations(agency)
        for record, recorded in in_service(tx, agency):
            for component in protected(recorded, self.source.catalog()):
                policy = self._policy(record, recorded[component])
                if policy is not None:
                    lasts = expected_duration(policy, durations.get((record.id, component), ()))
                    yield DrillRequest(record.id, component, record.site, policy, lasts)

    def _policy(self, record: AgencyRecord, instance: ServiceInstance) -> DrillPolicy | None:
        """None if the tier promises no drills."""
        tier = self.source.catalog().tier(instance.component, instance.tier)
        return effective_policy(tier.objectives.drills, record.call_off.recovery)

    def _capacity(self) -> dict[str, int]:
        groups = set(self.source.catalog().components[KEEPER].hosts.values())
        return {
            name: self.lanes * len({h for group in groups for h in self.source.site(name).group(group)})
            for name in self.source.sites()
        }

    def _planned(self, tx: Transaction) -> list[Drill]:
        waiting = tx.drills.in_state(*WAITING)
        return [d for d in waiting if d.moment is not Moment.NOW]

    def _withdraw(self, tx: Transaction, keys: set[str]) -> None:
        for drill in self._planned(tx):
            if drill.key not in keys and drill.scheduled_at > self.clock.now():
                self.drilling.end(tx, drill, DrillEvent.EXPIRE, reason="the calendar no longer has it")

    def _record(self, tx: Transaction, key: str, placed: Placed) -> None:
        when = placed.occurrence
        self.drilling.keep(
            tx,
            placed.agency,
            placed.component,
            by=BY_SCHEDULE,
            key=key,
            moment=when.kind,
            at=when.scheduled_at,
            window_end=when.window_end,
        )

    def _make_up(self, tx: Transaction) -> None:
        """Move the next drill to the worst moment if an earlier one that was meant for it did not happen or missed
        it."""
        past: dict[tuple[str, str], list[Drill]] = {}
        for drill in tx.drills.scheduled_since(self.clock.now() - LONGEST_PERIOD):
            past.setdefault((drill.agency, drill.component), []).append(drill)
        coming = {(drill.agency, drill.component): drill for drill in reversed(self._planned(tx))}
        for (agency, component), drill in coming.items():
            earlier = [d for d in past.get((agency, component), ()) if d.scheduled_at < drill.scheduled_at]
            if drill.moment is Moment.RANDOM and owes_worst_moment(earlier):
                tx.drills.put(drill.model_copy(update={"moment": Moment.WORST}))
                log.info("drill %s of %s of %s makes up for one at the worst moment", drill.id, component, agency)

    def _record_skipped(self, tx: Transaction, agency: str, component: str, site: str, skipped: Skipped) -> None:
        key = f"{agency}/{component}/{skipped.first}"
        if tx.drills.by_key(key) is not None:
            return
        tx.drills.add(
            Drill(
                id=0,
                key=key,
                agency=agency,
                component=component,
                site=site,
                moment=Moment.RANDOM,
                state=DrillState.SKIPPED_BLACKOUT,
                scheduled_at=datetime.combine(skipped.first, datetime.min.time(), tzinfo=self.clock.now().tzinfo),
                requested_by=BY_SCHEDULE,
                created_at=self.clock.now(),
                reason=f"no drill from {skipped.first} to {skipped.until}: {skipped.reason.replace('_', ' ')}",
            )
        )
        log.warning("no drill of %s of %s from %s to %s: %s", component, agency, *skipped)

    def _start_or_miss(self, drill: Drill) -> Run | None:
        with self.store.begin() as tx:
            current, now = tx.drills.get(drill.id), self.clock.now()
            if current is None or current.state not in WAITING:
                return None  # another scheduler was quicker
            last_start = (current.window_end or now) - self._lasts(tx, current)
            if current.window_end and now > last_start:
                self._miss(tx, current)
                return None
            if current.state is not DrillState.APPROVED or tx.runs.open_of(current.agency) is not None:
                return None  # there is still time
            ready = self._at_its_moment(tx, current, last_start)
            return self._start(tx, ready) if ready else None

    def _at_its_moment(self, tx: Transaction, drill: Drill, last_start: datetime) -> Drill | None:
        """The drill with the instant of its disaster; None if it is too early to begin.

        The worst moment is just before the next backup would be complete; that backup is held back until then
        (`Protecting`). If no backup is due in time, no moment is worse than another: the drill does not claim the worst
        moment, and the next one makes up for it.
        """
        now = self.clock.now()
        worst = self._worst_moment(tx, drill) if drill.moment is Moment.WORST else None
        if worst is not None and worst <= last_start:
            return drill.model_copy(update={"disaster_at": max(worst, now)}) if worst - LEAD <= now else None
        at = now + delay_of(drill.key, at_most=max(last_start - now, timedelta(0)))
        if drill.moment is Moment.WORST:
            log.warning("drill %s: no backup is due in its window, so it is not at the worst moment", drill.id)
            return drill.model_copy(update={"moment": Moment.RANDOM, "meant": Moment.WORST, "disaster_at": at})
        return drill.model_copy(update={"disaster_at": at})

    def _start(self, tx: Transaction, drill: Drill) -> Run | None:
        try:
            return self.drilling.open_run(tx, drill)
        except OrchestratorError as error:
            if error.kind is not Kind.CONFLICT:
                raise
            self.drilling.end(tx, drill, DrillEvent.EXPIRE, reason=error.message)
            return None

    def _miss(self, tx: Transaction, drill: Drill) -> None:
        unapproved = drill.state is DrillState.APPROVAL_PENDING
        reason = "nobody approved it in time" if unapproved else "it could not be started within its window"
        self.drilling.end(tx, drill, DrillEvent.EXPIRE if unapproved else DrillEvent.MISFIRE, reason=reason)
        log.error("drill %s of %s of %s was missed: %s", drill.id, drill.component, drill.agency, reason)

    def _lasts(self, tx: Transaction, drill: Drill) -> timedelta:
        """How long a drill is expected to take; zero if it will not take place."""
        instance = tx.instances.of(drill.agency).get(drill.component)
        policy = self._policy(find_agency(tx, drill.agency), instance) if instance else None
        if policy is None:
            return timedelta(0)
        return expected_duration(policy, tx.drills.durations(drill.agency).get((drill.agency, drill.component), ()))

    def _worst_moment(self, tx: Transaction, drill: Drill) -> datetime | None:
        """Just before the next backup would be complete; None before the first backup."""
        instance = tx.instances.of(drill.agency)[drill.component]
        target = self.source.catalog().tier(drill.component, instance.tier).objectives
        last = tx.backups.newest(drill.agency, drill.component, limit=1)
        if not last:
            return None
        return next_backup(last[-1].started_at, last[-1].finished_at, target)[1] - JUST_BEFORE


def owes_worst_moment(earlier: Sequence[Drill]) -> bool:
    """Whether a drill was meant for the worst moment, and no conclusive one has taken place then since. `earlier` are
    drills of one component, those due first in front."""
    for drill in reversed(earlier):
        if drill.moment is Moment.WORST and drill.state is DrillState.REPORTED and drill.verdict in DECIDED:
            return False
        if Moment.WORST in (drill.moment, drill.meant):
            return drill.state not in (*WAITING, *UNDER_WAY)
    return False


def _key(placed: Placed) -> str:
    return drill_key(placed.agency, placed.component, placed.occurrence.scheduled_at)


def _placed(drill: Drill) -> Placed:
    occurrence = Occurrence(drill.scheduled_at, drill.moment, drill.window_end or drill.scheduled_at)
    return Placed(drill.agency, drill.component, drill.site, occurrence)


def _slots(request: DrillRequest, planned: list[Drill], *, now: datetime, count: int) -> Iterator[Slot]:
    """Recorded drills of a component, then those that its policy draws after them."""
    mine = [d for d in planned if (d.agency, d.component) == (request.agency, request.component)]
    for drill in mine[:count]:
        yield Slot(
            agency=drill.agency,
            component=drill.component,
            site=drill.site,
            starts_at=drill.scheduled_at,
            ends_by=drill.window_end,
            moment=drill.moment,
            drill=drill.id,
            state=drill.state,
            key=drill.key,
        )
    after = max((d.scheduled_at for d in mine), default=now)
    for entry in _drawn(request, after, count - len(mine)):
        yield _foreseen(request, entry)


def _drawn(request: DrillRequest, after: datetime, count: int) -> Iterator[Occurrence | Skipped]:
    same = {"agency": request.agency, "component": request.component}
    return occurrences(request.policy, **same, after=after, count=max(count, 0), lasts=request.lasts)


def _foreseen(request: DrillRequest, entry: Occurrence | Skipped) -> Slot:
    whose: Mapping[str, str] = {"agency": request.agency, "component": request.component, "site": request.site}
    if isinstance(entry, Skipped):
        none = {"starts_at": None, "ends_by": None, "moment": None}
        return Slot(**whose, **none, skipped=entry.reason.value, first=entry.first, until=entry.until)
    key = drill_key(request.agency, request.component, entry.scheduled_at)
    return Slot(**whose, starts_at=entry.scheduled_at, ends_by=entry.window_end, moment=entry.kind, key=key)
