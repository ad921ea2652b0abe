"""Any operations in any order: what must hold after each of them, over a real store on both databases."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.lifecycle import Lifecycle
from orchestrator.domain.ordering.instance import INSTANCE_LIFE, InstanceState
from orchestrator.domain.runs.run import CHANGING, OPEN_RUN, RUN_LIFE, STEP_LIFE, Run, RunState, StepOutcome, StepState
from orchestrator.domain.runs.run_options import OnFailure, Priority, RunOptions
from orchestrator.ports.runs import Interrupted, StartedStep
from orchestrator.ports.store import Transaction
from tests.usecases.conftest import House, order

AGENCIES = ("a-one", "a-two", "a-three")
ORDERS: tuple[dict[str, dict[str, str]], ...] = (
    {"alpha": {}},
    {"alpha": {}, "beta": {}},
    {"alpha": {"tier": "large"}, "gamma": {}},
    {"alpha": {}, "beta": {"tier": "large"}, "gamma": {}},
)
WORKERS = ("w", "v")
OPERATIONS = 400

ENDS = (*(StepState.SUCCEEDED,) * 24, StepState.FAILED, StepState.UNREACHABLE, StepState.CANCELLED, StepState.ERRORED)


def reachable(life: Lifecycle, start: object) -> set[object]:  # type: ignore[type-arg]
    """Where one operation may lead from a state: one or two entries of its table, or nowhere."""
    once = {after for (before, _), after in life.table.items() if before == start}
    twice = {after for (before, _), after in life.table.items() if before in once}
    return {start} | once | twice


@dataclass
class Walk:
    """A random walk over one house. What a worker holds is forgotten when it dies."""

    house: House
    chance: random.Random
    held: dict[str, list[StartedStep]] = field(default_factory=lambda: {w: [] for w in WORKERS})
    runs: dict[int, RunState] = field(default_factory=dict)
    steps: dict[tuple[int, str], tuple[StepState, int]] = field(default_factory=dict)
    instances: dict[tuple[str, str], InstanceState] = field(default_factory=dict)
    last_event: int = 0
    done: dict[str, int] = field(default_factory=dict)

    def step(self) -> None:
        """One operation, which may be refused but never with our own bug."""
        operations: list[Callable[[], object]] = [
            *(self.open,) * 3, self.offboard, self.cancel, *(self.resume,) * 3, *(self.admit,) * 4, *(self.begin,) * 5,
            *(self.start,) * 14, *(self.finish,) * 14, self.finish_late, self.kill, *(self.conclude,) * 5,
        ]  # fmt: skip
        operation = self.chance.choice(operations)
        self.house.clock.turn(seconds=self.chance.randint(0, 60))
        outcome = "done"
        try:
            operation()
        except OrchestratorError as error:
            assert error.kind in (Kind.CONFLICT, Kind.NOT_FOUND), error
            outcome = "refused"
        except Interrupted:
            outcome = "interrupted"
        name = f"{operation.__name__} {outcome}"
        self.done[name] = self.done.get(name, 0) + 1

    def open(self) -> None:
        plan = self.house.planning.plan(order(self.chance.choice(AGENCIES), **self.chance.choice(ORDERS)))
        chosen = self.chance.choice(list(Priority)), self.chance.choice(list(OnFailure))
        self.house.provisioning.open_run(plan.id, RunOptions(*chosen))

    def offboard(self) -> None:
        plan = self.house.planning.plan_offboarding(self.chance.choice(AGENCIES))
        self.house.provisioning.open_run(plan.id)

    def cancel(self) -> None:
        self.house.driving.cancel(self._run().id)

    def resume(self) -> None:
        self.house.driving.resume(self._run(RunState.FAILED, RunState.CANCELLED).id)

    def admit(self) -> None:
        self.house.admit()

    def begin(self) -> None:
        run = self._run(RunState.ADMITTED, RunState.RUNNING)
        self.house.driving.begin(run.id, run.attempt - self.chance.choice((0, 0, 0, 1)))

    def start(self) -> None:
        run, worker = self._run(RunState.RUNNING), self.chance.choice(WORKERS)
        steps = self.house.driving.next_steps(run.id).ready
        mine = {(s.run.id, s.step.id) for s in self.held[worker]}
        if fresh := [s for s in steps if (run.id, s.id) not in mine]:
            started = self.house.driving.start(run.id, self.chance.choice(fresh).id, worker=worker)
            assert started, "nobody was quicker"
            self.held[worker].append(started)

    def finish(self) -> None:
        worker = self.chance.choice([w for w in WORKERS if self.held[w]] or list(WORKERS))
        if self.held[worker]:
            started = self.held[worker].pop(self.chance.randrange(len(self.held[worker])))
            self.house.driving.finish(started, StepOutcome(state=self.chance.choice(ENDS), error="why"))

    def finish_late(self) -> None:
        """A commit that was not heard of: the same outcome again."""
        for worker in WORKERS:
            if self.held[worker]:
                started = self.held[worker][0]
                self.house.driving.finish(started, StepOutcome(state=StepState.SUCCEEDED))
                self.house.driving.finish(started, StepOutcome(state=StepState.SUCCEEDED))

    def kill(self) -> None:
        self.held[self.chance.choice(WORKERS)].clear()

    def conclude(self) -> None:
        """As a worker does: when nothing may start, and nothing it started goes on."""
        run = self._run(RunState.RUNNING)
        busy = any(s.run.id == run.id for held in self.held.values() for s in held)
        left = self.house.driving.next_steps(run.id)
        if not (busy or left.ready or left.waiting):
            self.house.driving.conclude(run.id, run.attempt)

    def check(self) -> None:
        with self.house.store.read() as tx:
            self._check_runs(tx)
            for instance in tx.instances.all():
                before = self.instances.get((instance.agency, instance.component), InstanceState.PENDING)
                assert instance.state in reachable(INSTANCE_LIFE, before) | {InstanceState.PENDING}
                self.instances[instance.agency, instance.component] = instance.state
            events = tx.events.after(self.last_event)
        ids = [e.id for e in events]
        assert ids == sorted(set(ids))
        self.last_event = ids[-1] if ids else self.last_event

    def _check_runs(self, tx: Transaction) -> None:
        runs = tx.runs.newest(limit=10_000)
        taken = [r.agency for r in runs if r.state in OPEN_RUN]
        assert len(taken) == len(set(taken)), "one open run per agency"
        assert len(tx.runs.active()) <= 2, "the limit of the one host"
        changing = [s.component for r in runs for s in tx.runs.steps(r.id) if s.state is StepState.RUNNING
                    and s.verb in CHANGING and r.state in OPEN_RUN]  # fmt: skip
        exclusive = [component for component in changing if component in self.house.driving.source.catalog().exclusive]
        assert len(exclusive) == len(set(exclusive)), "what is exclusive is not changed by two at a time"
        for run in runs:
            assert run.state in reachable(RUN_LIFE, self.runs.get(run.id, RunState.QUEUED))
            self.runs[run.id] = run.state
            self._check_steps(tx, run)

    def _check_steps(self, tx: Transaction, run: Run) -> None:
        steps = tx.runs.steps(run.id)
        for step in steps:
            before, attempt = self.steps.get((run.id, step.id), (StepState.PENDING, 0))
            assert step.state in reachable(STEP_LIFE, before)
            if before is StepState.SUCCEEDED:
                assert (step.state, step.attempt) == (before, attempt), "what has succeeded never starts again"
            assert attempt <= step.attempt <= attempt + 1
            self.steps[run.id, step.id] = (step.state, step.attempt)
        if run.state not in OPEN_RUN:
            assert all(s.state is not StepState.RUNNING for s in steps), "nothing runs in a run that has ended"
        if run.state is RunState.SUCCEEDED:
            assert all(s.state is StepState.SUCCEEDED for s in steps)

    def _run(self, *states: RunState) -> Run:
        """Some run, in one of the states if there is any."""
        with self.house.store.read() as tx:
            runs = tx.runs.newest(limit=10_000)
        if not runs:
            raise OrchestratorError(Kind.NOT_FOUND, "no run yet")
        return self.chance.choice([r for r in runs if r.state in states] or runs)


@pytest.mark.slow
@pytest.mark.real_databases("what their constraints refuse")
@pytest.mark.parametrize("seed", range(3))
def test_every_rule_holds_after_any_operations_in_any_order(house: House, seed: int) -> None:
    walk = Walk(house, random.Random(seed))
    for _ in range(OPERATIONS):
        walk.step()
        walk.check()
    assert RunState.SUCCEEDED in walk.runs.values(), walk.done
    assert all(f"{name} done" in walk.done for name in ("resume", "start", "finish")), walk.done
