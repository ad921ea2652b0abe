"""The engine: workers that carry out runs, which of them are alive, and what is deleted of old runs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.bootstrap.base import Base
from orchestrator.bootstrap.ordering import OrderingParts
from orchestrator.bootstrap.probing import ProbingParts
from orchestrator.bootstrap.recovery import RecoveryParts

if TYPE_CHECKING:
    from orchestrator.adapters.ansible.guarded import Guards
    from orchestrator.adapters.engine.presence import Presence
    from orchestrator.ports.runs import Errand, StepRunner
    from orchestrator.usecases.ordering.commissioning import Commissioning
    from orchestrator.usecases.recovery.failing_over import FailingOver
    from orchestrator.usecases.runs.admitting import Admitting
    from orchestrator.usecases.runs.driving import Driving
    from orchestrator.usecases.runs.retaining import Retaining
    from orchestrator.usecases.runs.views import Crew


@dataclass(frozen=True)
class EngineParts:
    base: Base
    ordering: OrderingParts
    recovery: RecoveryParts
    probing: ProbingParts

    @cached_property
    def driving(self) -> "Driving":
        from orchestrator.domain.ordering.plan import MOVES, Purpose
        from orchestrator.usecases.runs.driving import Consequences, Driving

        base, ordering, recovery = self.base, self.ordering, self.recovery
        consequences: dict[Purpose, Consequences] = {
            Purpose.ONBOARD: ordering.provisioning,
            Purpose.CHANGE: ordering.provisioning,
            Purpose.OFFBOARD: ordering.provisioning,
            Purpose.BACKUP: recovery.protecting,
            Purpose.DRILL: recovery.drilling,
            Purpose.DRIFT: ordering.comparing,
            Purpose.DESTROY: ordering.holding,
            Purpose.VERIFY: ordering.verifying,
            **dict.fromkeys(MOVES, self.failing_over),
        }
        return Driving(source=base.source, store=base.store, clock=base.clock, consequences=consequences)

    @cached_property
    def failing_over(self) -> "FailingOver":
        from orchestrator.usecases.recovery.failing_over import FailingOver

        base = self.base
        return FailingOver(
            source=base.source,
            store=base.store,
            clock=base.clock,
            assigning=base.assigning,
            changing=self.ordering.provisioning,
        )

    @cached_property
    def commissioning(self) -> "Commissioning":
        from orchestrator.adapters.bank_holidays import is_bank_holiday
        from orchestrator.adapters.probes.tickets import DeskTickets
        from orchestrator.usecases.ordering.commissioning import Commissioning

        base = self.base
        return Commissioning(
            source=base.source,
            store=base.store,
            clock=base.clock,
            targeting=self.probing.targeting,
            desk=DeskTickets(),
            is_bank_holiday=is_bank_holiday,
        )

    def look_at_work(self) -> list[int]:
        """Go on with the runs whose people have finished. Returns the runs that were queued."""
        return self.commissioning.look(self.driving)

    @cached_property
    def admitting(self) -> "Admitting":
        from orchestrator.domain.runs.admission import Limits
        from orchestrator.usecases.runs.admitting import Admitting

        limits = Limits.model_validate(self.base.settings.limits.model_dump())
        return Admitting(store=self.base.store, limits=limits, lease=self.base.lease)

    @cached_property
    def retaining(self) -> "Retaining":
        from orchestrator.usecases.runs.retaining import Retaining

        base, kept = self.base, self.base.settings.retention
        return Retaining(
            store=base.store, clock=base.clock, days=kept.days, backup_days=kept.backup_days, agencies=kept.agencies
        )

    @cached_property
    def presence(self) -> "Presence":
        from orchestrator.adapters.engine.presence import Presence

        return Presence(self.base.settings.home.resolve() / "workers")

    def crew(self) -> "Crew":
        """Workers whose lease is running, and whose process has not ended, if it is on this machine."""
        from orchestrator.usecases.runs.views import Crew

        with self.base.store.read() as tx:
            alive, serving = (tx.workers.alive(lease=self.base.lease), tx.workers.serving(lease=self.base.lease))
        gone = self.presence.gone(alive)
        return Crew(alive - gone, serving - gone)

    def live_workers(self) -> set[str]:
        """Workers that take any run."""
        return set(self.crew().serving)

    def is_worked(self, run_id: int) -> bool:
        """Whether a live worker is at work on a run."""
        with self.base.store.read() as tx:
            run = tx.runs.get(run_id)
        return run is not None and run.worker in self.crew().alive

    def is_cared_for(self, run_id: int) -> bool:
        """Whether there are workers for a run, or another command is working on it."""
        return bool(self.live_workers()) or self.is_worked(run_id)

    def work(self, until: Callable[[], bool], errand: "Errand | None" = None) -> None:
        """Be a worker until told to stop, for any run or on an errand."""
        from orchestrator.adapters.ansible.guarded import Guards
        from orchestrator.adapters.engine import queueing
        from orchestrator.adapters.engine.worker import Worker, WorkerOptions, worker_name

        knobs = self.base.settings.worker
        guards = Guards(lease_seconds=knobs.lease_seconds)
        worker = Worker(
            name=worker_name(),
            url=queueing.url_for(self.base.database),
            store=self.base.store,
            presence=self.presence,
            driver=self.driving,
            admission=self.admitting,
            runner=self.runner(guards),
            options=WorkerOptions(
                lease=self.base.lease,
                beat=timedelta(seconds=knobs.beat_seconds),
                tick_seconds=knobs.tick_seconds,
                runs=knobs.runs,
                steps=knobs.steps,
            ),
            renew_guards=guards.renew,
            stop_guards=guards.stop_all,
            errand=errand,
        )
        worker.work(until)

    def runner(self, guards: "Guards") -> "StepRunner":
        """The runner of steps: phases of drills and looks at what was moved over ssh, people's work at the desk,
        everything else with Ansible."""
        from orchestrator.adapters.ansible.runner import AnsibleRunner
        from orchestrator.adapters.ansible.warm import WarmStart
        from orchestrator.ports.drilling import Rehearsal, Survey
        from orchestrator.ports.runs import Assignment
        from orchestrator.ports.work_orders import Commission
        from orchestrator.usecases.recovery.rehearsing import Rehearsing
        from orchestrator.usecases.recovery.surveying import Surveying
        from orchestrator.usecases.runs.dispatching import Dispatching

        base, knobs = self.base, self.base.settings.worker
        playbooks = AnsibleRunner(
            playbooks=base.settings.playbooks,
            guards=guards,
            access_of=base.access_of,
            warm=WarmStart(base.settings.playbooks, quick=knobs.quick_modules) if knobs.warm else None,
        )
        rehearsing = Rehearsing(
            store=base.store,
            clock=base.clock,
            stopwatch=base.stopwatch,
            hosts=base.hosts,
            playbooks=playbooks,
            report=self.recovery.concluding.report,
            pause=time.sleep,
            stopping=lambda: guards.stopping,
        )
        surveying = Surveying(store=base.store, hosts=base.hosts)
        return Dispatching(
            {
                Assignment: playbooks.run,
                Rehearsal: rehearsing.run,
                Survey: surveying.run,
                Commission: self.commissioning.run,
            }
        )
