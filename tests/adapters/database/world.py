"""What may happen to records, drawn by chance."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.events import InstanceMoved, StepPrinted
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.ordering.plan import Plan, Purpose
from orchestrator.domain.probing.readings import ProbeKey, Standing, StateChange
from orchestrator.domain.recovery.canary import Canary
from orchestrator.domain.recovery.drills import STOPPED, Drill, DrillState
from orchestrator.domain.recovery.held_backups import HeldBackups
from orchestrator.domain.recovery.verdict import Moment, Verdict
from orchestrator.domain.runs.run import OPEN_RUN, Counts, RunState, StepState
from orchestrator.domain.runs.run_options import Priority, RunOptions
from orchestrator.domain.runs.work_order import WorkOrder
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.service_levels.availability import Unmeasured
from orchestrator.domain.service_levels.declaration import Declaration
from orchestrator.domain.service_levels.incidents import Incident, IncidentPriority
from orchestrator.domain.service_levels.meter import Meter, Tally
from orchestrator.domain.service_levels.record import Maintenance, Outage, State
from orchestrator.ports.probing import KeptStanding
from orchestrator.ports.service_levels import KeptMeter
from orchestrator.ports.store import Transaction
from tests.adapters.database.test_store_contract import NOW, record

AGENCIES, COMPONENTS, SITE, POOL = ("a1", "a2", "a3"), ("desk", "network"), "here", "networks"
FRAMEWORKS, HOSTS, PROBES, NAMES = ("flex", "trial"), ("h1", "h2"), ("dns", "tcp"), ("subnet", "port")
VERBS = (Verb.BACKUP, Verb.COMPARE, Verb.PROVISION)
TURN, LEASE = timedelta(minutes=61), timedelta(hours=1)
TOOK = (0, 0.5, 0.500001, 47.3, 3600, 7000)
"""Seconds."""

Operation = Callable[[Transaction], object]
V = TypeVar("V")


@dataclass
class World:
    """What may happen next. Everything is drawn before an operation begins, for it is carried out on two stores."""

    chance: random.Random
    plan: Plan
    order: Any
    now: datetime = NOW
    drilled: int = 0
    done: set[str] = field(default_factory=set)

    def draw(self) -> Operation:
        ways = [getattr(self, name) for name in vars(World) if name.startswith("do_")]
        often = (self.do_open_a_run, self.do_move_a_run, self.do_move_steps, self.do_forget)
        way = self.chance.choice([*ways, *often * 5])
        self.done.add(way.__name__)
        operation: Operation = way()
        return operation

    def one_of(self, what: tuple[V, ...]) -> V:
        return self.chance.choice(what)

    def who(self) -> tuple[str, str]:
        return self.one_of(AGENCIES), self.one_of(COMPONENTS)

    def some_time(self) -> datetime:
        """Not the same one twice: the order of what is due at the same time is nobody's promise."""
        return self.now + timedelta(microseconds=self.chance.randrange(-(10**11), 10**11))

    def moved_to(self, state: RunState | StepState) -> dict[str, Any]:
        ended = state not in (*OPEN_RUN, StepState.PENDING, StepState.RUNNING)
        took = timedelta(seconds=self.one_of(TOOK))
        return {"state": state, "started_at": self.now, "finished_at": self.now + took if ended else None}

    def do_put_an_agency(self) -> Operation:
        committed, owed = (Decimal(self.chance.randrange(10_000)) / 100 for _ in range(2))
        changes = {"framework": self.one_of(FRAMEWORKS), "committed": committed, "owed": owed}
        left, agency = self.one_of((None, None, self.now)), self.one_of(AGENCIES)
        return lambda tx: tx.agencies.put(record(self.order, id=agency, **changes, offboarded_at=left))

    def do_put_instances(self) -> Operation:
        agency, state = self.one_of(AGENCIES), self.one_of(tuple(InstanceState))
        wish = next(iter(self.plan.desired.values()))
        assert wish is not None
        changes = {"agency": agency, "state": state, "changed_at": self.now - self.one_of((TURN, 0 * TURN))}
        made = [wish.model_copy(update={**changes, "component": c}) for c in COMPONENTS[: self.one_of((1, 2))]]
        return lambda tx: tx.instances.put_all(made)

    def do_allocate(self) -> Operation:
        position = self.chance.randrange(5)
        given = {"block": str(position), "agency": self.one_of(AGENCIES), "name": self.one_of(NAMES)}
        where = self.one_of((position, position, position, position, None))
        block = Allocation(site=SITE, pool=POOL, **given)
        return lambda tx: tx.allocations.add(block, at=self.now, position=where)

    def do_give_blocks_back(self) -> Operation:
        agency, names = self.one_of(AGENCIES), NAMES[: self.one_of((1, 2))]
        ways: tuple[Operation, ...] = (
            lambda tx: tx.allocations.hold(agency),
            lambda tx: tx.allocations.release(agency, names),
            lambda tx: tx.allocations.give_up(agency, names),
            lambda tx: tx.allocations.forget_reserved(before=self.now - 9 * TURN),
        )
        return self.one_of(ways)

    def do_open_a_run(self) -> Operation:
        steps = [
            step.model_copy(update={"verb": self.one_of(VERBS), "component": component})
            for step, component in zip(self.plan.steps, (*COMPONENTS, "printing"), strict=True)
        ]
        purpose, agency = self.one_of((Purpose.BACKUP, Purpose.DRIFT, Purpose.ONBOARD)), self.one_of(AGENCIES)
        made = self.plan.model_copy(update={"agency": agency, "purpose": purpose, "steps": tuple(steps)})
        priority, caused = self.one_of(tuple(Priority)), self.one_of((False, True))

        def opened(tx: Transaction) -> object:
            earlier = tx.runs.newest(limit=1) if caused and purpose is Purpose.ONBOARD else []
            cause = next((run.id for run in earlier if run.purpose is Purpose.ONBOARD), None)
            already, at = tx.runs.open_of(agency), self.now - timedelta(seconds=0.25)
            if already:  # the plan is not new: on PostgreSQL the number of one that is rolled back is lost
                stored = StoredPlan(id=already.plan, plan=made, order=None, created_at=at)
            else:
                stored = tx.plans.add(made, order=self.order, at=at)
            return tx.runs.open(stored, RunOptions(priority=priority, cause=cause), at=self.now)

        return opened

    def do_move_a_run(self) -> Operation:
        states = (*RunState, *(RunState.SUCCEEDED, RunState.FAILED) * 5)
        update, which = self.moved_to(self.one_of(states)), self.chance.random()

        def moved(tx: Transaction) -> None:
            if runs := tx.runs.newest(limit=5):
                run = runs[int(which * len(runs))]
                tx.runs.put(run.model_copy(update={**update, "error": "why"}))

        return moved

    def do_move_steps(self) -> Operation:
        update = {"counts": Counts(ok=1, changed=self.one_of((0, 3))), "result": {"took": [1, "s"]}}
        update, which = update | self.moved_to(self.one_of(tuple(StepState))), self.chance.random()

        def moved(tx: Transaction) -> None:
            for run in tx.runs.newest(limit=4):
                step = tx.runs.steps(run.id)[int(which * 3)]
                tx.runs.put_step(run.id, step.model_copy(update=update))

        return moved

    def do_ask_people(self) -> Operation:
        run, step, withdrawn = self.one_of((1, 2, 3)), self.one_of(("desk.a", "desk.b")), self.one_of((False, True))
        order = WorkOrder(run=run, step=step, agency=self.one_of(AGENCIES), component="desk", title="Train them",
                          ticket=str(self.one_of((7, 8))), address="https://desk/8", opened_at=self.now,
                          at_risk_at=self.now + TURN, due_at=self.now + self.one_of((2, 3)) * TURN,
                          withdrawn=withdrawn)  # fmt: skip
        gone = self.chance.random() < 0.3
        return lambda tx: tx.work_orders.remove(run, step) if gone else tx.work_orders.put(order)

    def do_tell(self) -> Operation:
        told = (
            StepPrinted(text="ok", task=self.one_of((None, "Install", "Configure"))),
            InstanceMoved(component="desk", state=InstanceState.FAILED),
        )
        where = {"run": self.one_of((1, 2, None)), "step": self.one_of(("desk.a", "desk.b", None))}
        agency = self.one_of(AGENCIES)
        return lambda tx: tx.events.add(told, agency=agency, at=self.now, **where)

    def do_forget(self) -> Operation:
        before, agency = self.now - 8 * TURN, self.one_of(AGENCIES)
        ways: tuple[Operation, ...] = (
            lambda tx: tx.events.forget(before=before, apart_from=[agency], limit=1000),
            lambda tx: tx.events.forget_of(agency, before=before, limit=1000),
            lambda tx: tx.plans.forget_unapplied(before=before, limit=1000),
            lambda tx: tx.backups.forget(before=before, limit=1000),
        )
        return self.one_of(ways)

    def do_keep_secrets(self) -> Operation:
        whose, name, token = self.who(), self.one_of(("key", "token")), self.chance.randbytes(4)
        place = (*whose, name)
        ways: tuple[Operation, ...] = (
            lambda tx: tx.secrets.add(*place, token, at=self.now),
            lambda tx: tx.secrets.propose(place, token),
            lambda tx: tx.secrets.accept(*whose, at=self.now),
            lambda tx: tx.secrets.replace(place, token, None),
            lambda tx: tx.secrets.forget(*whose, apart_from=["key"]),
        )
        return self.one_of((*ways[:1] * 3, *ways))

    def do_tick(self) -> Operation:
        due = self.now.replace(minute=0) - self.one_of((0, 1, 200)) * timedelta(hours=1)
        return lambda tx: tx.ticks.take("hourly", due, at=self.now)

    def do_live(self) -> Operation:
        worker, runs = self.one_of(("w", "v")), self.one_of((0, 4))
        ways: tuple[Operation, ...] = (
            lambda tx: tx.workers.join(worker, host="h", runs=runs),
            lambda tx: tx.workers.beat(worker),
            lambda tx: tx.workers.leave(worker),
            lambda tx: tx.workers.bury(lease=LEASE),
            lambda tx: tx.prober.take(worker, lease=LEASE),
            lambda tx: tx.prober.beat(worker, read_until=self.now),
            lambda tx: tx.prober.leave(worker),
        )
        return self.one_of(ways)

    def do_drill(self) -> Operation:
        (agency, component), self.drilled = self.who(), self.drilled + 1
        plain = {"id": 0, "key": str(self.drilled), "agency": agency, "component": component, "site": SITE}
        times = {"scheduled_at": self.some_time(), "created_at": self.now, "moment": self.one_of(tuple(Moment))}
        drill = Drill(**{**plain, **times, "requested_by": "ann", "state": self.one_of(tuple(DrillState))})

        def added(tx: Transaction) -> Drill:
            run = tx.runs.newest(agency=agency, limit=1)
            of_run = next((r.id for r in run if r.purpose is Purpose.ONBOARD and not tx.drills.of_run(r.id)), None)
            return tx.drills.add(drill.model_copy(update={"run": of_run}))

        return added

    def do_end_a_drill(self) -> Operation:
        verdict, which = self.one_of((None, *Verdict)), self.chance.random()
        states = (*DrillState, *(DrillState.REPORTED, *STOPPED) * 4)
        update = {"state": self.one_of(states), "verdict": verdict, "rto_seconds": self.chance.random()}
        kept = self.one_of((False, True))

        def ended(tx: Transaction) -> None:
            if drills := tx.drills.newest(limit=10):
                drill = drills[int(which * len(drills))]
                tx.drills.put(drill.model_copy(update={**update, "finished_at": self.now}))
                if kept and tx.drills.evidence(drill.id) is None:
                    tx.drills.keep_evidence(drill.id, f"document {self.now}", f"digest {self.now}")

        return ended

    def do_write_a_canary(self) -> Operation:
        whose, number = self.who(), self.chance.randrange(6)
        canary = Canary(number=number, code="c", sent_at=self.now, acknowledged_at=self.one_of((None, self.now)))
        ways: tuple[Operation, ...] = (
            lambda tx: tx.canaries.put(*whose, canary),
            lambda tx: tx.canaries.put(*whose, canary),
            lambda tx: tx.canaries.forget(*whose, up_to=number),
            lambda tx: tx.canaries.forget(*whose, after=number),
        )
        return self.one_of(ways)

    def do_hold_backups(self) -> Operation:
        agency, host, until = self.one_of(AGENCIES), self.one_of(HOSTS), self.some_time()
        held = HeldBackups(agency=agency, site=SITE, function="keep", host=host, since=self.now, until=until)
        ways: tuple[Operation, ...] = (
            lambda tx: tx.backups.hold(held),
            lambda tx: tx.backups.hold(held),
            lambda tx: tx.backups.let_go(agency, [host]),
            lambda tx: tx.backups.forget_of(agency),
        )
        return self.one_of(ways)

    def do_probe(self) -> Operation:
        keys = [ProbeKey(*self.who(), self.one_of(PROBES)) for _ in range(3)]
        changes = [(key, StateChange(self.some_time(), self.one_of(tuple(State)), "told")) for key in keys]
        kept = [KeptStanding(key, TURN, Standing(change.state, change.at, "told")) for key, change in changes[:1]]

        def probed(tx: Transaction) -> None:
            tx.transitions.record(changes)
            tx.transitions.keep(kept)

        return probed

    def do_serve(self) -> Operation:
        whose = self.who()
        ways: tuple[Operation, ...] = (
            lambda tx: tx.service_periods.begin(*whose, at=self.now),
            lambda tx: tx.service_periods.end(*whose, at=self.now),
        )
        return self.one_of(ways)

    def do_declare(self) -> Operation:
        start, (agency, component) = self.some_time().replace(microsecond=0), self.who()
        span = {"start": start, "end": start + self.chance.randrange(1, 40) * LEASE}
        late = self.one_of((None, start + 20 * LEASE))
        what = self.one_of((Outage(**span, reference="7"), Maintenance(**span, announced_at=start, ended_at=late)))
        made = Declaration(id=0, agency=agency, component=self.one_of((None, component)), why="so", what=what)
        again, which = self.one_of((False, True)), self.chance.random()

        def declared(tx: Transaction) -> object:
            known = tx.declarations.newest()
            if again and known:
                return tx.declarations.put(made.model_copy(update={"id": known[int(which * len(known))].id}))
            return tx.declarations.add(made)

        return declared

    def do_keep_meters(self) -> Operation:
        tally, (agency, component) = Tally(*(self.chance.randrange(99) for _ in range(4))), self.who()
        meter = Meter(7, self.one_of(tuple(State)), self.one_of(tuple(Unmeasured)), tally, tally, None)
        kept = [KeptMeter(agency, component, 1, "terms", meter), KeptMeter(agency, "desk", 2, "terms", meter)]
        return lambda tx: [tx.meters.put([one]) for one in kept]

    def do_report(self) -> Operation:
        reported_at = self.some_time().replace(microsecond=0)
        fixed_at = self.one_of((None, reported_at + LEASE))
        incident = Incident(priority=IncidentPriority.P1, reported_at=reported_at, fixed_at=fixed_at)
        agency, number = self.one_of(AGENCIES), self.one_of(("1", "2", "3"))
        return lambda tx: tx.incidents.put(agency, number, incident)
