"""Admitting: choosing the queued runs that workers may take next, and saying what the others wait for."""

from collections.abc import Collection, Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.runs.admission import Limits, Place, admissible, review
from orchestrator.domain.runs.run import RUN_LIFE, Run, RunEvent, RunState, obstacle, ready
from orchestrator.domain.runs.waits import ForWorker, Wait
from orchestrator.ports.runs import NextSteps
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_run


@dataclass(frozen=True)
class Admitting:
    """`lease` is how long a worker counts as alive after a sign of life. No more is admitted than live workers can
    take."""

    store: Store
    limits: Limits
    lease: timedelta

    def admit(self, *, only: Collection[int] | None = None) -> int:
        """Hand the queued runs that may start to the engine, each together with its change of state. Returns their
        number. `only` limits it to the runs that a worker is there for."""
        with self.store.read() as tx:
            if not tx.runs.count(RunState.QUEUED) or not self._admissible(tx, only):
                return 0
        with self.store.begin() as tx:
            places = self._admissible(tx, only)
            for place in places:
                run = find_run(tx, place.run)
                admitted = run.model_copy(update={"state": RUN_LIFE.after(run.state, RunEvent.ADMIT)})
                tx.runs.put(admitted)
                tx.queue.put(admitted.id, admitted.attempt)
            return len(places)

    def waits_for(self, tx: Transaction, run: Run) -> Wait | None:
        """What a queued or admitted run waits for; None for any other."""
        if run.state is RunState.ADMITTED:
            return ForWorker()
        if run.state is not RunState.QUEUED:
            return None
        reviewed = review(tx.runs.queue(), tx.runs.active(), self._limits(tx))
        return next((reason or ForWorker() for place, reason in reviewed if place.run == run.id), None)

    def _admissible(self, tx: Transaction, only: Collection[int] | None) -> tuple[Place, ...]:
        """The runs that may start. With `only`, other queued runs do not count: there may be no worker for them."""
        queue, active = tx.runs.queue(), tx.runs.active()
        if only is None:
            return admissible(queue, active, self._limits(tx))
        return admissible([place for place in queue if place.run in only], active, self.limits)

    def _limits(self, tx: Transaction) -> Limits:
        capacity = tx.workers.capacity(lease=self.lease)
        return self.limits.model_copy(update={"runs": min(self.limits.runs, capacity)})


def next_steps(tx: Transaction, run: Run, *, exclusive: Container[str], now: datetime) -> NextSteps:
    """Steps of a run whose needs have succeeded: those that may start, and those that must wait."""
    candidates, elsewhere = ready(tx.runs.steps(run.id), stopping=run.cancel_requested), tx.runs.changing_elsewhere(run)
    found = {step.id: obstacle(step, elsewhere, exclusive=exclusive, now=now) for step in candidates}
    return NextSteps(
        ready=tuple(step for step in candidates if found[step.id] is None),
        waiting={step: reason for step, reason in found.items() if reason},
    )
