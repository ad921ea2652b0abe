"""The composition root: which adapter fills which port. The only place that builds anything."""

import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.bootstrap.evidence import EvidenceKeys
from orchestrator.bootstrap.installing import initialise as initialise
from orchestrator.bootstrap.installing import upgrade as upgrade
from orchestrator.bootstrap.practice import practice_site as practice_site
from orchestrator.settings import Settings

if TYPE_CHECKING:  # a command that only reads the catalog should not wait for the database, Ansible or the engine
    from orchestrator.adapters.ansible.guarded import Guards
    from orchestrator.adapters.engine.presence import Presence
    from orchestrator.adapters.exposition.negotiated import Exposition
    from orchestrator.adapters.recovery_host import SshRecoveryHosts
    from orchestrator.adapters.scheduler import Schedule
    from orchestrator.domain.probing.readings import ProbeTarget, Reading
    from orchestrator.domain.recovery.fleet_calendar import Placed
    from orchestrator.domain.selling.drill_policy import Blackout
    from orchestrator.ports.runs import Errand, PlaybookRunner
    from orchestrator.usecases.examining import Examining, Finding
    from orchestrator.usecases.observing import Crew, Observing
    from orchestrator.usecases.ordering.comparing import Comparing
    from orchestrator.usecases.ordering.verifying import Verifying
    from orchestrator.usecases.probing.targeting import Targeting
    from orchestrator.usecases.recovery.concluding import Concluding
    from orchestrator.usecases.recovery.drilling import Drilling
    from orchestrator.usecases.recovery.protecting import Protecting
    from orchestrator.usecases.recovery.recalling import Recalling
    from orchestrator.usecases.recovery.scheduling import Scheduling
    from orchestrator.usecases.recovery.witnessing import Witnessing
    from orchestrator.usecases.runs.admitting import Admitting
    from orchestrator.usecases.runs.driving import Driving
    from orchestrator.usecases.runs.retaining import Retaining
    from orchestrator.usecases.service_levels.gathering import Gathering

FORESEEN = timedelta(days=730)
"""How far ahead somebody's calendar of closures is read."""


class Application(EvidenceKeys):
    """The use-cases, ready. Parts that a command does not ask for are not built."""

    @cached_property
    def driving(self) -> "Driving":
        from orchestrator.domain.ordering.plan import Purpose
        from orchestrator.usecases.runs.driving import Consequences, Driving

        consequences: dict[Purpose, Consequences] = {
            Purpose.ONBOARD: self.provisioning,
            Purpose.CHANGE: self.provisioning,
            Purpose.OFFBOARD: self.provisioning,
            Purpose.BACKUP: self.protecting,
            Purpose.DRILL: self.drilling,
            Purpose.DRIFT: self.comparing,
            Purpose.DESTROY: self.holding,
            Purpose.VERIFY: self.verifying,
        }
        return Driving(source=self.source, store=self.store, clock=self.clock, consequences=consequences)

    @cached_property
    def protecting(self) -> "Protecting":
        from orchestrator.usecases.recovery.protecting import Protecting

        return Protecting(source=self.source, store=self.store, clock=self.clock, assigning=self.assigning)

    @cached_property
    def comparing(self) -> "Comparing":
        from orchestrator.usecases.ordering.comparing import Comparing

        return Comparing(source=self.source, store=self.store, clock=self.clock, assigning=self.assigning)

    @cached_property
    def verifying(self) -> "Verifying":
        from orchestrator.usecases.ordering.verifying import Verifying

        return Verifying(source=self.source, store=self.store, clock=self.clock, assigning=self.assigning)

    @cached_property
    def drilling(self) -> "Drilling":
        from orchestrator.usecases.recovery.drilling import Drilling

        wait = self.settings.recovery.wait_seconds
        limit = timedelta(seconds=wait) if wait else None
        return Drilling(source=self.source, store=self.store, clock=self.clock, assigning=self.assigning, limit=limit)

    @cached_property
    def drill_scheduling(self) -> "Scheduling":
        from orchestrator.usecases.recovery.scheduling import Scheduling

        return Scheduling(
            source=self.source,
            store=self.store,
            clock=self.clock,
            drilling=self.drilling,
            lanes=self.settings.recovery.drills_per_host,
        )

    @cached_property
    def recalling(self) -> "Recalling":
        from orchestrator.usecases.recovery.recalling import Recalling

        return Recalling(store=self.store)

    @cached_property
    def witnessing(self) -> "Witnessing":
        from orchestrator.usecases.recovery.witnessing import Witnessing

        return Witnessing(
            source=self.source,
            store=self.store,
            clock=self.clock,
            assigning=self.assigning,
            hosts=self.recovery_hosts,
            stopwatch=self.stopwatch,
        )

    @cached_property
    def recovery_hosts(self) -> "SshRecoveryHosts":
        from orchestrator.adapters.recovery_host import SshRecoveryHosts

        return SshRecoveryHosts(self.access_of)

    @cached_property
    def concluding(self) -> "Concluding":
        from orchestrator.adapters.bank_holidays import report_due
        from orchestrator.usecases.recovery.concluding import Concluding

        return Concluding(
            source=self.source,
            store=self.store,
            clock=self.clock,
            stopwatch=self.stopwatch,
            name=socket.gethostname(),
            interval=timedelta(minutes=self.settings.recovery.canary_minutes),
            seal=self.seal,
            report_due=report_due,
        )

    @cached_property
    def observing(self) -> "Observing":
        from orchestrator.usecases.observing import Observing

        return Observing(
            source=self.source,
            store=self.store,
            clock=self.clock,
            admitting=self.admitting,
            metering=self.metering,
            crew=self.crew,
        )

    @cached_property
    def targeting(self) -> "Targeting":
        from orchestrator.usecases.probing.targeting import Targeting

        secrets, hosts = self.assigning.secrets, self.recovery_hosts
        return Targeting(source=self.source, store=self.store, clock=self.clock, secrets=secrets, hosts=hosts)

    @cached_property
    def gathering(self) -> "Gathering":
        from orchestrator.adapters.probes.incidents import read_incidents
        from orchestrator.usecases.service_levels.gathering import Gathering

        return Gathering(store=self.store, clock=self.clock, targeting=self.targeting, read=read_incidents)

    def probe(self, until: Callable[[], bool]) -> None:
        """Probe live services until told otherwise, whenever no other process does."""
        from orchestrator.adapters.probes.pool import ProbePool
        from orchestrator.usecases.probing.watching import Probing

        counts, holder = self.observing.probe_counts, f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        watcher = Probing(self.store, self.clock, self.targeting, holder, counts)
        ProbePool(watcher, self.clock, counts, self.settings.probing.concurrency).run(until)

    def probe_now(self, agency: str, component: str | None = None) -> "list[tuple[ProbeTarget, Reading]]":
        """What the probes of an agency's live services find at this moment. Nothing of it is recorded."""
        from orchestrator.adapters.probes.once import read_once

        return read_once(self.targeting.prepare, self.targeting.of(agency, component), self.clock)

    @cached_property
    def examining(self) -> "Examining":
        from orchestrator.usecases.examining import Examining

        return Examining(source=self.source, store=self.store, clock=self.clock, hosts=self.recovery_hosts)

    def examine(self) -> "list[Finding]":
        """What of the installation is as it should be, and what is not."""
        from orchestrator.bootstrap.doctor import findings

        return findings(self)

    @cached_property
    def admitting(self) -> "Admitting":
        from orchestrator.domain.runs.admission import Limits
        from orchestrator.usecases.runs.admitting import Admitting

        limits = Limits.model_validate(self.settings.limits.model_dump())
        return Admitting(store=self.store, limits=limits, lease=self.lease)

    @cached_property
    def retaining(self) -> "Retaining":
        from orchestrator.usecases.runs.retaining import Retaining

        kept = self.settings.retention
        return Retaining(
            store=self.store, clock=self.clock, days=kept.days, backup_days=kept.backup_days, agencies=kept.agencies
        )

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.settings.worker.lease_seconds)

    @cached_property
    def exposition(self) -> "Exposition":
        from orchestrator.adapters.exposition.negotiated import Exposition

        return Exposition(self.observing.snapshot)

    def crew(self) -> "Crew":
        """Workers whose lease is running, and whose process, if it is one of this machine, has not ended."""
        from orchestrator.usecases.observing import Crew

        with self.store.read() as tx:
            alive, serving = (tx.workers.alive(lease=self.lease), tx.workers.serving(lease=self.lease))
        gone = self.presence.gone(alive)
        return Crew(alive - gone, serving - gone)

    def live_workers(self) -> set[str]:
        """Those that take anybody's runs."""
        return set(self.crew().serving)

    def is_worked(self, run_id: int) -> bool:
        """Whether somebody who lives is at work on a run."""
        with self.store.read() as tx:
            run = tx.runs.get(run_id)
        return run is not None and run.worker in self.crew().alive

    @cached_property
    def presence(self) -> "Presence":
        from orchestrator.adapters.engine.presence import Presence

        return Presence(self.settings.home.resolve() / "workers")

    def work(self, until: Callable[[], bool], errand: "Errand | None" = None) -> None:
        """Be a worker until told otherwise, of anybody's runs or on an errand."""
        from orchestrator.adapters.ansible.guarded import Guards
        from orchestrator.adapters.engine import queueing
        from orchestrator.adapters.engine.worker import Worker, WorkerOptions, worker_name

        knobs = self.settings.worker
        guards = Guards(lease_seconds=knobs.lease_seconds)
        worker = Worker(
            name=worker_name(),
            url=queueing.url_for(self.database),
            store=self.store,
            presence=self.presence,
            driver=self.driving,
            admission=self.admitting,
            runner=self.runner(guards),
            options=WorkerOptions(
                lease=self.lease,
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

    def runner(self, guards: "Guards") -> "PlaybookRunner":
        """What carries out steps: phases of drills by ssh, everything else by Ansible."""
        from orchestrator.adapters.ansible.runner import AnsibleRunner
        from orchestrator.adapters.ansible.warm import WarmStart
        from orchestrator.usecases.recovery.rehearsing import Rehearsing

        knobs = self.settings.worker
        playbooks = AnsibleRunner(
            playbooks=self.settings.playbooks,
            guards=guards,
            access_of=self.access_of,
            warm=WarmStart(self.settings.playbooks, quick=knobs.quick_modules) if knobs.warm else None,
        )
        return Rehearsing(
            store=self.store,
            clock=self.clock,
            stopwatch=self.stopwatch,
            hosts=self.recovery_hosts,
            playbooks=playbooks,
            report=self.concluding.report,
            pause=time.sleep,
            stopping=lambda: guards.stopping,
        )

    def scheduling(self) -> AbstractContextManager[None]:
        """A scheduler for as long as the context lasts. Any number of processes may have one."""
        from orchestrator.adapters.scheduler import Scheduler

        return Scheduler(store=self.store, clock=self.clock, schedules=self.schedules()).running()

    def schedules(self) -> "list[Schedule]":
        """What is done by itself, and when."""
        from orchestrator.adapters.scheduler import Schedule

        return [
            Schedule(name="retention", cron={"hour": "3", "minute": "30"}, work=self.retaining.prune),
            Schedule(name="drill calendar", cron={"hour": "2", "minute": "15"}, work=self.drill_scheduling.plan_ahead),
            Schedule(name="evidence head", cron={"hour": "4", "minute": "0"}, work=self.keep_evidence_head),
            Schedule(name="certificates", cron={"hour": "1", "minute": "30"}, work=self.renewing.renew_certificates),
            # In this order: a drill at the worst moment is begun just before the backup would be.
            Schedule(name="recovery", cron={"minute": "*"}, work=self._start_what_is_due),
            Schedule(name="incidents", cron={"minute": "*/5"}, work=self.gathering.gather),
            Schedule(
                name="canaries",
                cron={"minute": f"*/{self.settings.recovery.canary_minutes}"},
                work=self.witnessing.write,
            ),
        ]

    def _start_what_is_due(self) -> None:
        self.drill_scheduling.start_due()
        self.protecting.open_due()

    def calendar_file(self, drills: "Iterable[Placed]") -> bytes:
        """Drills for people's calendars."""
        from orchestrator.adapters.icalendar_files import write_calendar
        from orchestrator.domain.selling.drill_policy import DrillPolicy

        return write_calendar(drills, lasts=DrillPolicy().lasts, stamped=self.clock.now())

    def blackouts(self, file: Path) -> "tuple[Blackout, ...]":
        """The closures in somebody's calendar, of the two years to come."""
        from orchestrator.adapters.icalendar_files import read_blackouts

        today = self.clock.now().date()
        return read_blackouts(file, first=today, until=today + FORESEEN)

    def close(self) -> None:
        if "database" in self.__dict__:
            self.database.dispose()


@contextmanager
def build(settings: Settings) -> Iterator[Application]:
    """The application; what it opened is closed again."""
    application = Application(settings=settings)
    try:
        yield application
    finally:
        application.close()
