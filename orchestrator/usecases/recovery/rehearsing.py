"""Rehearsing: carrying out the phases of a drill on the recovery host.

The disaster happens when the pin is set: its instant is read from our clock once, and every duration from then on from
a stopwatch that nobody can set.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening, StepTold
from orchestrator.domain.recovery.canary import compare
from orchestrator.domain.recovery.recovery_time import Stamp, Worked
from orchestrator.domain.runs.run import StepOutcome, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import digest_of
from orchestrator.ports.drilling import RecoveryHost, RecoveryHosts, Rehearsal, Stopwatch, TooSlowError
from orchestrator.ports.outside import Clock
from orchestrator.ports.runs import Assignment, Interrupted, PlaybookRunner
from orchestrator.ports.store import Store
from orchestrator.usecases.recovery.leasing import AGAIN, CANCELLED, SHORT, Lease, Reach, lease
from orchestrator.usecases.recovery.noting import NotedHosts
from orchestrator.usecases.recovery.trying import ATTEMPT, Trying, user_of

CLEANUP_TRIES = 5

Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Stage:
    """What a phase is carried out with."""

    assignment: Assignment
    rehearsal: Rehearsal
    reach: Reach
    tell: Callable[[str], None]

    def cancelled(self) -> bool:
        """Raises Interrupted when this worker is to end."""
        return self.reach.cancelled()

    @property
    def subject(self) -> dict[str, Any]:
        drill = self.rehearsal.drill
        return {"drill": drill.id, "agency": drill.agency, "component": drill.component}

    @property
    def password(self) -> dict[str, str]:
        """What opens the backups that are rehearsed with."""
        return {"password": self.assignment.writers[self.rehearsal.host]["repository_password"]}

    @property
    def disaster(self) -> Stamp:
        pinned, clock = self.rehearsal.earlier[Verb.PIN], self.rehearsal.earlier[Verb.EXAMINE]["clock"]
        return Stamp(at=pinned["t0"], reading=pinned["reading"], host_offset_seconds=clock["offset_seconds"])


Phase = Callable[["Rehearsing", Stage], dict[str, Any]]


@dataclass(frozen=True)
class Rehearsing:
    """A runner of steps: phases of drills itself, everything else by the playbook runner. `stopping` tells that this
    worker is to end: a phase is then left to whoever takes over."""

    store: Store
    clock: Clock
    stopwatch: Stopwatch
    hosts: RecoveryHosts
    playbooks: PlaybookRunner
    report: Callable[[Assignment], dict[str, Any]]
    pause: Callable[[float], None]
    stopping: Callable[[], bool]

    def run(
        self,
        assignment: Assignment,
        *,
        on_events: Callable[[Sequence[Happening]], None],
        cancelled: Cancelled,
    ) -> StepOutcome:
        rehearsal = assignment.rehearsal
        if rehearsal is None:
            return self.playbooks.run(assignment, on_events=on_events, cancelled=cancelled)
        noted, began = NotedHosts(self.hosts), self.stopwatch.read()
        reach = Reach(
            noted, assignment.site, rehearsal.host, self.stopwatch, self.pause, lambda: self._is_over(cancelled)
        )
        stage = Stage(assignment, rehearsal, reach, tell=lambda text: on_events([StepTold(text=text)]))
        try:
            if assignment.verb is Verb.RESTORE:
                outcome = self._restore(stage, on_events=on_events, cancelled=cancelled)
                if outcome.state is not StepState.SUCCEEDED:
                    return outcome
                result = {"command_sha256": _playbook_digest(assignment)}
            else:
                result = PHASES[assignment.verb](self, stage)
        except OrchestratorError as error:
            return StepOutcome(state=_end_of(error), error="\n".join((error.message, *error.details)))
        if noted.commands:
            result = {**result, "command_sha256": digest_of(noted.commands)}
        worked = Worked(began=began, ended=self.stopwatch.read(), waited_seconds=reach.waited_seconds)
        return StepOutcome(state=StepState.SUCCEEDED, result={**result, "worked": worked.model_dump()})

    def examine(self, stage: Stage) -> dict[str, Any]:
        """Whether the host could carry the drill, and how far its clock is from ours."""
        with stage.reach.once() as host:
            host.operate("sweep", {}, within=SHORT, cancelled=stage.cancelled)
            before, began = self.clock.now(), self.stopwatch.read()
            found = host.operate("precheck", stage.subject, within=SHORT, cancelled=stage.cancelled)
            took = self.stopwatch.read().since(began) or 0.0
        middle = before.timestamp() + took / 2
        return {**found, "clock": {"offset_seconds": float(found["time"]) - middle, "uncertainty_seconds": took / 2}}

    def pin(self, stage: Stage) -> dict[str, Any]:
        """The disaster, and freezing what may be restored."""
        with stage.reach.patiently() as host:
            host.operate("cleanup", {"drill": stage.rehearsal.drill.id}, within=SHORT)  # a worker may have died here
        self._await(stage.rehearsal.drill.disaster_at, stage.cancelled)
        disaster, reading = self.clock.now(), self.stopwatch.read()
        stage.reach.waited_seconds = 0.0  # until here nobody waited for a recovery
        document = {**stage.subject, **lease(), "host": stage.rehearsal.rehearsed_host, **stage.password}
        with self._leased(stage, begun=False) as (host, held):
            found = self._operate(stage, host, held, "pin", document)
        if not found.get("chosen"):
            raise OrchestratorError(Kind.FAILED, "there is no backup to restore")
        return {**found, "t0": disaster.isoformat(), "reading": reading.model_dump()}

    def proceed(self, stage: Stage) -> dict[str, Any]:
        """Have the host do what the phase is called: prepare the bubble, or start what was restored in it."""
        with self._leased(stage) as (host, held):
            return self._operate(stage, host, held, stage.assignment.verb, {**stage.subject, **lease()})

    def probe(self, stage: Stage) -> dict[str, Any]:
        """Use the service until three users in a row could work, or the limit has passed. Where the stopwatch is not
        the one that the disaster was read from, from now on: how long it took is then not known."""
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
        return {
            "seconds": (watched.first_of_row or 0.0) - disaster.seconds if measured else None,
            "censored_limit_seconds": limit if censored else None,
            "attempts": watched.attempts,
            "longest_gap_seconds": watched.longest_gap,
            "same_clock": same_clock,
        }

    def check(self, stage: Stage) -> dict[str, Any]:
        """What came back, whether it is whole, and whether anything can get out."""
        rehearsal = stage.rehearsal
        with self._leased(stage) as (host, held):
            checks = self._operate(stage, host, held, "check", {**stage.subject, **stage.password})
            ways_out = {"drill": rehearsal.drill.id, "targets": [_asked(target) for target in rehearsal.targets]}
            leaks = self._operate(stage, host, held, "leaks", ways_out)
            with self.store.read() as tx:
                ledger = tx.canaries.of(rehearsal.drill.agency, rehearsal.drill.component)
            found = self._records(host, rehearsal, first=ledger[0].number if ledger else 1)
        kept = sum(canary.acknowledged_at is not None for canary in ledger)
        records = None if found is None else compare(ledger, found, disaster=stage.disaster).model_dump(mode="json")
        return {"checks": checks, "leaks": leaks["attempts"], "records": records, "ledger": kept}

    def cleanup(self, stage: Stage) -> dict[str, Any]:
        """Remove every trace. The host is asked again while it does not answer: its own reaper would come later."""
        for tries_left in reversed(range(CLEANUP_TRIES)):
            try:
                with stage.reach.once() as host:
                    asked = {"drill": stage.rehearsal.drill.id}
                    return host.operate("cleanup", asked, within=stage.assignment.timeout)
            except OrchestratorError as error:
                if not tries_left or error.kind is not Kind.UNAVAILABLE:
                    raise
                self.pause(AGAIN.total_seconds())
        raise AssertionError  # the last try returns or raises

    def conclude(self, stage: Stage) -> dict[str, Any]:
        """Judge, sign and keep."""
        return self.report(stage.assignment)

    # Inside

    def _restore(
        self, stage: Stage, *, on_events: Callable[[Sequence[Happening]], None], cancelled: Cancelled
    ) -> StepOutcome:
        with self._leased(stage) as (_, held):
            return self.playbooks.run(
                stage.assignment, on_events=on_events, cancelled=lambda: held.lost is not None or cancelled()
            )

    def _is_over(self, cancelled: Cancelled) -> bool:
        if self.stopping():
            raise Interrupted
        return cancelled()

    def _await(self, moment: datetime | None, cancelled: Cancelled) -> None:
        """The disaster comes when it was drawn to. How long that is, is looked at once: clocks may be set meanwhile."""
        rest, began = (moment - self.clock.now()).total_seconds() if moment else 0.0, self.stopwatch.read()
        while (left := rest - (self.stopwatch.read().since(began) or 0.0)) > 0:
            if cancelled():
                raise OrchestratorError(Kind.CONFLICT, CANCELLED)
            self.pause(min(left, 1.0))

    def _operate(
        self, stage: Stage, host: RecoveryHost, held: Lease, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Ended when somebody cancels, or the drill is no longer there."""
        return host.operate(
            operation,
            document,
            within=stage.assignment.timeout,
            cancelled=lambda: held.lost is not None or stage.cancelled(),
        )

    @contextmanager
    def _leased(self, stage: Stage, *, begun: bool = True) -> Iterator[tuple[RecoveryHost, Lease]]:
        """A connection, and the drill's lease, which is renewed for as long as the context lasts. What has yet to be
        `begun` has none to renew at once."""
        with stage.reach.patiently() as host:
            held = Lease(stage.reach, stage.rehearsal.drill.id, renewed=self.stopwatch.read(), begun=begun)
            if begun:
                held.renew(host)
            with held.kept():
                yield host, held

    def _records(self, host: RecoveryHost, rehearsal: Rehearsal, *, first: int) -> list[str] | None:
        """The canaries from a number on that users find in the restored service; None where it takes none."""
        with user_of(host, rehearsal) as user:
            if user.ask({"op": "describe"}, within=ATTEMPT).get("canary") is False:
                return None
            answer = user.ask({"op": "read", "first": first}, within=SHORT)
        if not answer.get("ok"):
            raise OrchestratorError(Kind.FAILED, f"the canaries cannot be read: {answer.get('detail')}")
        return [str(text) for text in answer["records"]]


PHASES: Mapping[Verb, Phase] = {
    Verb.EXAMINE: Rehearsing.examine,
    Verb.PIN: Rehearsing.pin,
    Verb.PREPARE: Rehearsing.proceed,
    Verb.START: Rehearsing.proceed,
    Verb.PROBE: Rehearsing.probe,
    Verb.CHECK: Rehearsing.check,
    Verb.CLEANUP: Rehearsing.cleanup,
    Verb.REPORT: Rehearsing.conclude,
}


def _asked(target: Mapping[str, Any]) -> dict[str, Any]:
    return {name: target[name] for name in ("name", "address", "port")}


def _playbook_digest(assignment: Assignment) -> str:
    """Of what Ansible was told, apart from secrets."""
    return digest_of({"verb": assignment.verb, "role": assignment.role, "variables": dict(assignment.variables)})


def _end_of(error: OrchestratorError) -> StepState:
    if isinstance(error, TooSlowError):
        return StepState.TIMED_OUT
    ends = {Kind.UNAVAILABLE: StepState.UNREACHABLE, Kind.CONFLICT: StepState.CANCELLED}
    return ends.get(error.kind, StepState.FAILED)
