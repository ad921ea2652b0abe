"""Commissioning: asking people to carry out a step, and going on with its run when they have.

Their tickets are in the agency's own service desk. A run that waits for people is nobody's: no worker and no thread
waits with it. `serve` looks at the tickets from time to time.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening
from orchestrator.domain.probing.readings import ProbeTarget
from orchestrator.domain.runs.run import StepOutcome, StepState
from orchestrator.domain.runs.work_order import AT_RISK_SHARE, Jeopardy, WorkOrder, instructions, reference
from orchestrator.domain.selling.catalog import DESK, ProbeKind
from orchestrator.domain.service_levels.deadline import deadline
from orchestrator.domain.service_levels.hours import ServiceHours
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.probing import Prepared
from orchestrator.ports.store import Store
from orchestrator.ports.work_orders import Commission, Progress, ServiceDesk
from orchestrator.usecases.finding import find_agency
from orchestrator.usecases.probing.targeting import Targeting
from orchestrator.usecases.runs.driving import Driving

log = logging.getLogger(__name__)

WITHDRAWN = "Withdrawn: the run that needed this has ended."


class WorkOrderView(Value):
    """An open ticket, and how it stands."""

    order: WorkOrder
    jeopardy: Jeopardy


@dataclass(frozen=True)
class Commissioning:
    source: CatalogSource
    store: Store
    clock: Clock
    targeting: Targeting
    desk: ServiceDesk
    is_bank_holiday: Callable[[date], bool]

    def run(
        self,
        commission: Commission,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Callable[[], bool],
    ) -> StepOutcome:
        """Open the ticket. A desk that cannot be used counts as a host that does not answer."""
        del on_events, cancelled
        now, hours = self.clock.now(), self._hours(commission)
        due, at_risk = (
            deadline(hours, now, commission.within * share, is_bank_holiday=self.is_bank_holiday)
            for share in (1, AT_RISK_SHARE)
        )
        text = instructions(commission.terms, commission.facts, due)
        try:
            ticket = self.desk.open(
                self._desk_of(commission.agency),
                reference(commission.run, commission.step),
                commission.terms.title,
                text,
                due,
            )
        except OrchestratorError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            return StepOutcome(state=StepState.UNREACHABLE, error=error.message)
        order = WorkOrder(
            run=commission.run,
            step=commission.step,
            agency=commission.agency,
            component=commission.component,
            title=commission.terms.title,
            ticket=ticket.number,
            address=ticket.address,
            opened_at=now,
            at_risk_at=at_risk,
            due_at=due,
        )
        return StepOutcome(state=StepState.WAITING, order=order)

    def orders(self, agency: str | None = None) -> list[WorkOrderView]:
        """What people have been asked to do and have not done yet, first what is due first."""
        now = self.clock.now()
        with self.store.read() as tx:
            if agency is not None:
                find_agency(tx, agency)
            open_ones = [one for one in tx.work_orders.all() if not one.withdrawn and agency in (None, one.agency)]
        return [WorkOrderView(order=one, jeopardy=one.jeopardy(now)) for one in open_ones]

    def look(self, driving: Driving) -> list[int]:
        """See what has become of every ticket, record it, and queue the runs that can go on. Returns their numbers. A
        desk that does not answer is asked again next time."""
        with self.store.read() as tx:
            standing = sorted(tx.work_orders.all(), key=attrgetter("agency"))
        for agency, orders in groupby(standing, key=attrgetter("agency")):
            try:
                self._look(agency, list(orders), driving)
            except OrchestratorError as error:
                log.warning("the work orders of %s cannot be looked at: %s", agency, error.message)
        return self._go_on(driving)

    # Inside

    def _look(self, agency: str, orders: list[WorkOrder], driving: Driving) -> None:
        prepared = self._desk_of(agency)
        found = self.desk.look(prepared, [order.ticket for order in orders if not order.withdrawn])
        for order in orders:
            if order.withdrawn:
                self.desk.withdraw(prepared, order.ticket, WITHDRAWN)
                self._forget(order)
            elif (progress := found[order.ticket]).done:
                driving.settle(order.run, order.step, _outcome(order, progress))

    def _forget(self, order: WorkOrder) -> None:
        """Forget a ticket that was withdrawn, unless its run was resumed meanwhile and waits for it again. Then it was
        rejected once too often, which the next look finds."""
        with self.store.begin() as tx:
            if order in tx.work_orders.all():
                tx.work_orders.remove(order.run, order.step)

    def _go_on(self, driving: Driving) -> list[int]:
        with self.store.read() as tx:
            waiting = [run.id for run in tx.runs.waiting()]
        return [run for run in waiting if _goes_on(run, driving)]

    def _hours(self, commission: Commission) -> ServiceHours:
        """The hours of the service's tier, or of its agreement."""
        with self.store.read() as tx:
            record = find_agency(tx, commission.agency)
            instance = tx.instances.of(record.id)[commission.component]
        tier = self.source.catalog().tier(instance.component, instance.tier)
        return tier.hours or self.source.agreements()[record.framework].service_levels.hours

    def _desk_of(self, agency: str) -> Prepared:
        target = next((t for t in self.targeting.targets(agency) if _is_desk(t)), None)
        if target is None:
            raise OrchestratorError(Kind.UNAVAILABLE, f"{agency} has no service desk in service for its work orders")
        return self.targeting.prepare(target)


def _is_desk(target: ProbeTarget) -> bool:
    return target.key.component == DESK and target.kind is ProbeKind.RT


def _goes_on(run: int, driving: Driving) -> bool:
    """Queue a run again, if it can go on and no other run of its agency is open."""
    try:
        return driving.go_on(run)
    except OrchestratorError as error:
        if error.kind is not Kind.CONFLICT:
            raise
        return False


def _outcome(order: WorkOrder, progress: Progress) -> StepOutcome:
    if progress.refusal is None:
        return StepOutcome(state=StepState.SUCCEEDED)
    return StepOutcome(
        state=StepState.FAILED, error=f"ticket {order.ticket} was rejected: {progress.refusal}\n{order.address}"
    )
