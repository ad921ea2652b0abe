"""Rehearsing: carrying out the phases of a drill on the recovery host.

The disaster happens when the pin is set. Its instant is read once from our clock; every duration from then on is read
from a stopwatch, which nobody can set.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening, StepTold
from orchestrator.domain.recovery.canary import compare
from orchestrator.domain.recovery.phase_results import (
    BubblePrepared,
    Checked,
    Cleaned,
    Examined,
    PhaseResult,
    Pinned,
    Probed,
    Reported,
    Restored,
    Started,
)
from orchestrator.domain.recovery.recovery_time import Stamp, Worked
from orchestrator.domain.runs.run import StepOutcome, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import digest_of
from orchestrator.ports.drilling import RecoveryHost, RecoveryHosts, Rehearsal, Stopwatch, TooSlowError
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Assignment, Interrupted, PlaybookRunner
from orchestrator.ports.store import Store
from orchestrator.usecases.recovery.leasing import AGAIN, CANCELLED, SHORT, HostReach, Lease, lease
from orchestrator.usecases.recovery.noting import NotedHosts
from orchestrator.usecases.recovery.trying import Trying, records_of, user_of

CLEANUP_TRIES = 5

CLOCK_READINGS, CLEARLY = 5, 0.25
"""How often the host's clock is read at most, until the uncertainty is this many seconds. The quickest answer counts,
because it says most (RFC 5905, section 10): on a busy machine, a single one may take seconds."""

Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Stage:
    """What a phase is carried out with."""

    rehearsal: Rehearsal
    reach: HostReach
    tell: Callable[[str], None]

    def cancelled(self) -> bool:
        """Raises Interrupted if this worker is told to end."""
        return self.reach.cancelled()

    @property
    def subject(self) -> dict[str, Any]:
        drill = self.rehearsal.drill
        return {"drill": drill.id, "agency": drill.agency, "component": drill.component}

    @property
    def password(self) -> dict[str, str]:
        """The password of the backups that the drill restores."""
        return {"password": self.rehearsal.assignment.writers[self.rehearsal.host]["repository_password"]}

    @property
    def disaster(self) -> Stamp:
        examined, pinned = self.rehearsal.earlier.examine, self.rehearsal.earlier.pin
        assert examined and pinned
        return Stamp(at=pinned.t0, reading=pinned.reading, host_offset_seconds=examined.clock.offset_seconds)


PhaseWork = Callable[["Rehearsing", Stage], PhaseResult]


@dataclass(frozen=True)
class Rehearsing:
    """Carries out phases of drills; the playbook runner does the restore. `stopping` is true once this worker must end:
    its phase is then left to the worker that takes over."""

    store: Store
    clock: Clock
    stopwatch: Stopwatch
    hosts: RecoveryHosts
    playbooks: PlaybookRunner
    report: Callable[[Rehearsal], Reported]
    pause: Callable[[float], None]
    stopping: Callable[[], bool]

    def run(
        self,
        rehearsal: Rehearsal,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Cancelled,
    ) -> StepOutcome:
        assignment, noted, began = rehearsal.assignment, NotedHosts(self.hosts), self.stopwatch.read()
        reach = HostReach(
            noted, assignment.site, rehearsal.host, self.stopwatch, self.pause, lambda: self._is_over(cancelled)
        )
        stage = Stage(rehearsal, reach, tell=lambda text: on_events([StepTold(text=text)]))
        try:
            if assignment.verb is Verb.RESTORE:
                outcome = self._restore(stage, on_events=on_events, cancelled=cancelled)
                if outcome.state is not StepState.SUCCEEDED:
                    return outcome
                result: PhaseResult = Restored(command_sha256=_playbook_digest(assignment))
            else:
                result = PHASES[assignment.verb](self, stage)
        except OrchestratorError as error:
            return StepOutcome(state=end_of(error), error="\n".join((error.message, *error.details)))
        worked = Worked(began=began, ended=self.stopwatch.read(), waited_seconds=reach.waited_seconds)
        command = digest_of(noted.commands) if noted.commands else result.command_sha256
        kept = result.model_copy(update={"command_sha256": command, "worked": worked})
        return StepOutcome(state=StepState.SUCCEEDED, result=kept.model_dump(mode="json"))

    def examine(self, stage: Stage) -> Examined:
        """Check that the host can carry the drill, and how far its clock is from ours."""
        readings: list[Examined] = []
        with stage.reach.once() as host:
            host.operate("sweep", {}, within=SHORT, cancelled=stage.cancelled)
            while len(readings) < CLOCK_READINGS and (not readings or readings[-1].clock.uncertainty_seconds > CLEARLY):
                readings.append(self._clock_of(host, stage))
        return min(readings, key=lambda one: one.clock.uncertainty_seconds)

    def _clock_of(self, host: RecoveryHost, stage: Stage) -> Examined:
        """The host's clock, assuming that it was read half way between question and answer."""
        before, began = self.clock.now(), self.stopwatch.read()
        found = host.operate("precheck", stage.subject, within=SHORT, cancelled=stage.cancelled)
        took = self.stopwatch.read().since(began) or 0.0
        middle = before.timestamp() + took / 2
        clock = {"offset_seconds": _number(found.get("time")) - middle, "uncertainty_seconds": took / 2}
        return _read(Examined, {"clock": clock})

    def pin(self, stage: Stage) -> Pinned:
        """Set the instant of the disaster, and freeze what may be restored."""
        with stage.reach.patiently() as host:
            host.operate("cleanup", {"drill": stage.rehearsal.drill.id}, within=SHORT)  # a worker may have died here
        self._await(stage.rehearsal.drill.disaster_at, stage.cancelled)
        disaster, reading = self.clock.now(), self.stopwatch.read()
        stage.reach.waited_seconds = 0.0  # nobody waited for a recovery until now
        document = {**stage.subject, **lease(), "host": stage.rehearsal.rehearsed_host, **stage.password}
        with self._leased(stage, begun=False) as (host, held):
            found = self._operate(stage, host, held, "pin", document)
        if not found.get("chosen"):
            raise OrchestratorError(Kind.FAILED, "there is no backup to restore")
        return _read(Pinned, {**found, "t0": disaster, "reading": reading})

    def prepare(self, stage: Stage) -> BubblePrepared:
        """Prepare the bubble, which nothing can leave."""
        return _read(BubblePrepared, self._proceed(stage, "prepare"))

    def start(self, stage: Stage) -> Started:
        """Start the restored service in the bubble."""
        return _read(Started, self._proceed(stage, "start"))

    def probe(self, stage: Stage) -> Probed:
        """Use the service until three users in a row could work, or the limit has passed. If the stopwatch is not the
        one that the disaster was read from, the limit counts from now, and the recovery time is unknown."""
        limit, disaster = stage.rehearsal.limit.total_seconds(), stage.disaster.reading
        assert disaster is not None
        with self._leased(stage) as (_, held):
            now = self.stopwatch.read()
            same_clock = now.boot == disaster.boot
            trying = Trying(
                stage.rehearsal, held, self.stopwatch, self.pause, tell=stage.tell, cancelled=stage.cancelled
            )
            watched, censored = trying.until((disaster if same_clock else now).seconds + limit)
        measured = same_clock and not censored and watched.first_of_row is not None
        return Probed(
            seconds=(watched.first_of_row or 0.0) - disaster.seconds if measured else None,
            censored_limit_seconds=limit if censored else None,
            attempts=watched.attempts,
            longest_gap_seconds=watched.longest_gap,
            same_clock=same_clock,
        )

    def check(self, stage: Stage) -> Checked:
        """Check what came back, whether it is complete, and whether anything can get out."""
        rehearsal = stage.rehearsal
        with self._leased(stage) as (host, held):
            checks = self._operate(stage, host, held, "check", {**stage.subject, **stage.password})
            ways_out = {"drill": rehearsal.drill.id, "targets": [_asked(target) for target in rehearsal.targets]}
            leaks = self._operate(stage, host, held, "leaks", ways_out)
            with self.store.read() as tx:
                ledger = tx.canaries.of(rehearsal.drill.agency, rehearsal.drill.component)
            found = self._records(host, rehearsal, first=ledger[0].number if ledger else 1)
        kept = sum(canary.acknowledged_at is not None for canary in ledger)
        records = None if found is None else compare(ledger, found, disaster=stage.disaster)
        return _read(Checked, {"checks": checks, "leaks": leaks.get("attempts"), "records": records, "ledger": kept})

    def cleanup(self, stage: Stage) -> Cleaned:
        """Remove every trace. A host that does not answer is asked again: its own reaper would come later."""
        for tries_left in reversed(range(CLEANUP_TRIES)):
            try:
                with stage.reach.once() as host:
                    asked = {"drill": stage.rehearsal.drill.id}
                    return _read(Cleaned, host.operate("cleanup", asked, within=stage.rehearsal.assignment.timeout))
            except OrchestratorError as error:
                if not tries_left or error.kind is not Kind.UNAVAILABLE:
                    raise
                self.pause(AGAIN.total_seconds())
        raise AssertionError  # the last try returns or raises

    def conclude(self, stage: Stage) -> Reported:
        """Judge the drill, and sign and keep its evidence."""
        return self.report(stage.rehearsal)

    # Inside

    def _restore(
        self, stage: Stage, *, on_events: Callable[[Sequence[Happening]], None], cancelled: Cancelled
    ) -> StepOutcome:
        with self._leased(stage) as (_, held):
            return self.playbooks.run(
                stage.rehearsal.assignment, on_events=on_events, cancelled=lambda: held.lost is not None or cancelled()
            )

    def _is_over(self, cancelled: Cancelled) -> bool:
        if self.stopping():
            raise Interrupted
        return cancelled()

    def _await(self, moment: datetime | None, cancelled: Cancelled) -> None:
        """Wait for the planned instant of the disaster. The wait is computed once, as clocks may be set meanwhile."""
        rest, began = (moment - self.clock.now()).total_seconds() if moment else 0.0, self.stopwatch.read()
        while (left := rest - (self.stopwatch.read().since(began) or 0.0)) > 0:
            if cancelled():
                raise OrchestratorError(Kind.CONFLICT, CANCELLED)
            self.pause(min(left, 1.0))

    def _proceed(self, stage: Stage, operation: str) -> dict[str, Any]:
        with self._leased(stage) as (host, held):
            return self._operate(stage, host, held, operation, {**stage.subject, **lease()})

    def _operate(
        self, stage: Stage, host: RecoveryHost, held: Lease, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Carry out an operation. It ends early if somebody cancels or the drill is gone."""
        return host.operate(
            operation,
            document,
            within=stage.rehearsal.assignment.timeout,
            cancelled=lambda: held.lost is not None or stage.cancelled(),
        )

    @contextmanager
    def _leased(self, stage: Stage, *, begun: bool = True) -> Iterator[tuple[RecoveryHost, Lease]]:
        """A connection, and the drill's lease, which is renewed while the context lasts. A drill that is not `begun`
        yet has none to renew at first."""
        with stage.reach.patiently() as host:
            held = Lease(stage.reach, stage.rehearsal.drill.id, renewed=self.stopwatch.read(), begun=begun)
            if begun:
                held.renew(host)
            with held.kept():
                yield host, held

    def _records(self, host: RecoveryHost, rehearsal: Rehearsal, *, first: int) -> list[str] | None:
        """The canaries from a number on that users find in the restored service; None if it accepts none."""
        with user_of(host, rehearsal) as user:
            return records_of(user, first=first)


PHASES: Mapping[Verb, PhaseWork] = {
    Verb.EXAMINE: Rehearsing.examine,
    Verb.PIN: Rehearsing.pin,
    Verb.PREPARE: Rehearsing.prepare,
    Verb.START: Rehearsing.start,
    Verb.PROBE: Rehearsing.probe,
    Verb.CHECK: Rehearsing.check,
    Verb.CLEANUP: Rehearsing.cleanup,
    Verb.REPORT: Rehearsing.conclude,
}


R = TypeVar("R", bound=PhaseResult)


def _read(model: type[R], found: Mapping[str, Any]) -> R:
    """The result of a phase. Raises FAILED if the recovery host's answer cannot be read."""
    try:
        return model.model_validate(found)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise OrchestratorError(Kind.FAILED, f"the recovery host's answer cannot be read: {wrong}") from error


def _number(given: Any) -> float:
    return float(given) if isinstance(given, int | float) else math.nan


def _asked(target: Mapping[str, Any]) -> dict[str, Any]:
    return {name: target[name] for name in ("name", "address", "port")}


def _playbook_digest(assignment: Assignment) -> str:
    """The digest of what Ansible was told, without secrets."""
    return digest_of({"verb": assignment.verb, "role": assignment.role, "variables": dict(assignment.variables)})


def end_of(error: OrchestratorError) -> StepState:
    """How a step ends that an error has ended."""
    if isinstance(error, TooSlowError):
        return StepState.TIMED_OUT
    ends = {Kind.UNAVAILABLE: StepState.UNREACHABLE, Kind.CONFLICT: StepState.CANCELLED}
    return ends.get(error.kind, StepState.FAILED)
