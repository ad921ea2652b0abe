"""Rehearsing: carrying out the phases of a drill on the recovery host.

The disaster happens when the pin is set: its instant is read from our clock once, and every duration from then on from
a stopwatch that nobody can set.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.domain.canary import compare
from orchestrator.domain.catalog import Verb
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.events import Happening, StepTold
from orchestrator.domain.recovery_time import EVERY, Reading, Watched
from orchestrator.domain.run import StepOutcome, StepState
from orchestrator.domain.value import digest_of
from orchestrator.usecases.driving_ports import Assignment, Interrupted, PlaybookRunner
from orchestrator.usecases.noting import NotedHosts
from orchestrator.usecases.ports import Clock, Store
from orchestrator.usecases.recovery_ports import RecoveryHost, RecoveryHosts, Rehearsal, Stopwatch, User

LEASE = timedelta(minutes=2)
"""What the recovery host keeps for a drill it has not heard of for so long, it removes by itself."""

ATTEMPT = timedelta(seconds=10)
SHORT = timedelta(seconds=30)
AGAIN = timedelta(seconds=2)
CLEANUP_TRIES = 5
TELL = timedelta(seconds=15)
"""How often a drill that waits for the service says so."""

Cancelled = Callable[[], bool]
Phase = Callable[["Rehearsing", Assignment, Rehearsal, Cancelled], dict[str, Any]]


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
    tell: Callable[[str], None] = lambda text: None  # noqa: ARG005

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
        noted = NotedHosts(self.hosts)
        try:
            if assignment.verb is Verb.RESTORE:
                with self._leased(assignment, rehearsal):
                    outcome = self.playbooks.run(assignment, on_events=on_events, cancelled=cancelled)
                return outcome.model_copy(update={"result": {"command_sha256": _playbook_digest(assignment)}})
            here = replace(self, hosts=noted, tell=lambda text: on_events([StepTold(text=text)]))
            result = PHASES[assignment.verb](here, assignment, rehearsal, lambda: self._is_over(cancelled))
        except OrchestratorError as error:
            return StepOutcome(state=_end_of(error), error="\n".join((error.message, *error.details)))
        commands = {"command_sha256": digest_of(noted.commands)} if noted.commands else {}
        return StepOutcome(state=StepState.SUCCEEDED, result={**result, **commands})

    def examine(self, assignment: Assignment, rehearsal: Rehearsal, cancelled: Cancelled) -> dict[str, Any]:
        """Whether the host could carry the drill, and how far its clock is from ours."""
        with self._host(assignment, rehearsal) as host:
            host.operate("sweep", {}, within=SHORT, cancelled=cancelled)
            before, began = self.clock.now(), self.stopwatch.read()
            found = host.operate("precheck", _subject(rehearsal), within=SHORT, cancelled=cancelled)
            took = self.stopwatch.read().since(began) or 0.0
        middle = before.timestamp() + took / 2
        return {**found, "clock": {"offset_seconds": float(found["time"]) - middle, "uncertainty_seconds": took / 2}}

    def pin(self, assignment: Assignment, rehearsal: Rehearsal, cancelled: Cancelled) -> dict[str, Any]:
        """The disaster: freeze what may be restored."""
        with self._host(assignment, rehearsal) as host:
            host.operate("cleanup", {"drill": rehearsal.drill.id}, within=SHORT)  # a worker may have died in this phase
            disaster, reading = self.clock.now(), self.stopwatch.read()
            which = {"host": rehearsal.rehearsed_host, **_password(assignment, rehearsal)}
            document = {**_subject(rehearsal), **_lease(), **which}
            found = host.operate("pin", document, within=assignment.timeout, cancelled=cancelled)
        if not found.get("chosen"):
            raise OrchestratorError(Kind.FAILED, "there is no backup to restore")
        return {**found, "t0": disaster.isoformat(), "reading": reading.model_dump()}

    def proceed(self, assignment: Assignment, rehearsal: Rehearsal, cancelled: Cancelled) -> dict[str, Any]:
        """Have the host do what the phase is called: prepare the bubble, or start what was restored in it."""
        with self._host(assignment, rehearsal) as host:
            document = {**_subject(rehearsal), **_lease()}
            return host.operate(assignment.verb, document, within=assignment.timeout, cancelled=cancelled)

    def probe(self, assignment: Assignment, rehearsal: Rehearsal, cancelled: Cancelled) -> dict[str, Any]:
        """Use the service until three users in a row could work, or the limit has passed."""
        disaster = Reading.model_validate(rehearsal.earlier[Verb.PIN]["reading"])
        with self._leased(assignment, rehearsal) as host:
            watched, censored = self._watch(host, rehearsal, disaster, cancelled)
        first = watched.first_of_row
        return {
            "seconds": first - disaster.seconds if first is not None and not censored else None,
            "censored_limit_seconds": rehearsal.limit.total_seconds() if censored else None,
            "attempts": watched.attempts,
            "longest_gap_seconds": watched.longest_gap,
            "same_clock": self.stopwatch.read().since(disaster) is not None,
            "last": watched.detail,
        }

    def check(self, assignment: Assignment, rehearsal: Rehearsal, cancelled: Cancelled) -> dict[str, Any]:
        """What came back, whether it is whole, and whether anything can get out."""
        disaster = datetime.fromisoformat(rehearsal.earlier[Verb.PIN]["t0"])
        within = assignment.timeout
        with self._leased(assignment, rehearsal) as host:
            asked = {**_subject(rehearsal), **_password(assignment, rehearsal)}
            checks = host.operate("check", asked, within=within, cancelled=cancelled)
            ways_out = {"drill": rehearsal.drill.id, "targets": list(rehearsal.targets)}
            leaks = host.operate("leaks", ways_out, within=within, cancelled=cancelled)
            with self.store.read() as tx:
                ledger = tx.canaries.of(rehearsal.drill.agency, rehearsal.drill.component)
            found = self._records(host, rehearsal, first=ledger[0].number if ledger else 1)
        records = None if found is None else compare(ledger, found, disaster=disaster).model_dump(mode="json")
        return {"checks": checks, "leaks": leaks["attempts"], "records": records}

    def cleanup(self, assignment: Assignment, rehearsal: Rehearsal, cancelled: Cancelled) -> dict[str, Any]:
        """Remove every trace. The host is asked again while it does not answer: its own reaper would come later."""
        del cancelled  # it always happens
        for tries_left in reversed(range(CLEANUP_TRIES)):
            try:
                with self._host(assignment, rehearsal) as host:
                    return host.operate("cleanup", {"drill": rehearsal.drill.id}, within=assignment.timeout)
            except OrchestratorError as error:
                if not tries_left or error.kind is not Kind.UNAVAILABLE:
                    raise
                self.pause(AGAIN.total_seconds())
        raise AssertionError  # the last try returns or raises

    def conclude(self, assignment: Assignment, rehearsal: Rehearsal, cancelled: Cancelled) -> dict[str, Any]:
        """Judge, sign and keep."""
        del rehearsal, cancelled
        return self.report(assignment)

    # Inside

    def _is_over(self, cancelled: Cancelled) -> bool:
        if self.stopping():
            raise Interrupted
        return cancelled()

    def _host(self, assignment: Assignment, rehearsal: Rehearsal) -> AbstractContextManager[RecoveryHost]:
        return self.hosts.connect(assignment.site, rehearsal.host)

    @contextmanager
    def _leased(self, assignment: Assignment, rehearsal: Rehearsal) -> Iterator[RecoveryHost]:
        """A connection, and the drill's lease renewed for as long as the context lasts."""
        done = threading.Event()
        with self._host(assignment, rehearsal) as host:

            def renew() -> None:
                host.operate("renew", {"drill": rehearsal.drill.id, **_lease()}, within=SHORT)

            def keep() -> None:
                while not done.wait(LEASE.total_seconds() / 4):
                    with suppress(OrchestratorError):  # the phase itself finds out what is wrong
                        renew()

            renew()
            keeper = threading.Thread(target=keep, name="drill-lease", daemon=True)
            keeper.start()
            try:
                yield host
            finally:
                done.set()
                keeper.join()

    def _watch(
        self, host: RecoveryHost, rehearsal: Rehearsal, disaster: Reading, cancelled: Cancelled
    ) -> tuple[Watched, bool]:
        """What the users found, and whether the limit passed before they could work."""
        end = disaster.seconds + rehearsal.limit.total_seconds()
        told = self.stopwatch.read().seconds
        for watched in self._attempts(host, rehearsal):
            if watched.recovered:
                return watched, False
            if self.stopwatch.read().seconds > end:
                return watched, True
            if cancelled():
                raise OrchestratorError(Kind.CONFLICT, "cancelled on request")
            told = self._tell(watched, told, end=end)
        raise AssertionError  # there is always another attempt

    def _tell(self, watched: Watched, told: float, *, end: float) -> float:
        """Say every now and then that nobody could work yet; when that was said last."""
        now = self.stopwatch.read().seconds
        if now - told < TELL.total_seconds():
            return told
        self.tell(f"nobody can work yet, given up in {end - now:.0f} s: {watched.detail or 'no answer'}")
        return now

    def _attempts(self, host: RecoveryHost, rehearsal: Rehearsal) -> Iterator[Watched]:
        """One attempt after another, each begun a moment after the one before at the latest. A user who gets no answer
        has tried all the same, hangs up, and another begins anew."""
        watched = Watched()
        while True:
            with suppress(OrchestratorError), _user(host, rehearsal) as user:
                heard = True
                while heard:
                    began = self.stopwatch.read().seconds
                    try:
                        answer = user.ask({"op": "probe"}, within=ATTEMPT)
                    except OrchestratorError as error:
                        answer, heard = {"ok": False, "detail": error.message}, False
                    ended = self.stopwatch.read().seconds
                    worked, detail = bool(answer.get("ok")), str(answer.get("detail", ""))
                    watched = watched.after(began=began, ended=ended, worked=worked, detail=detail)
                    yield watched
                    self.pause(max(EVERY.total_seconds() - (ended - began), 0.0))
            watched = watched.model_copy(update={"row": 0, "first_of_row": None})
            yield watched
            self.pause(EVERY.total_seconds())

    def _records(self, host: RecoveryHost, rehearsal: Rehearsal, *, first: int) -> list[str] | None:
        """The canaries from a number on that users find in the restored service; None where the component has none."""
        with _user(host, rehearsal) as user:
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


def _user(host: RecoveryHost, rehearsal: Rehearsal) -> AbstractContextManager[User]:
    """A user of the restored service: told what users of the live one are, and where to find it."""
    introduction = {**rehearsal.user, "address": rehearsal.earlier[Verb.PREPARE]["address"], "authority": None}
    if rehearsal.trust is not None:
        asked = {"drill": rehearsal.drill.id, "file": rehearsal.trust}
        introduction["authority"] = host.operate("read", asked, within=SHORT)["content"]
    return host.user(rehearsal.drill.component, introduction)


def _subject(rehearsal: Rehearsal) -> dict[str, Any]:
    drill = rehearsal.drill
    return {"drill": drill.id, "agency": drill.agency, "component": drill.component}


def _playbook_digest(assignment: Assignment) -> str:
    """Of what Ansible was told, apart from secrets."""
    return digest_of({"verb": assignment.verb, "role": assignment.role, "variables": dict(assignment.variables)})


def _password(assignment: Assignment, rehearsal: Rehearsal) -> dict[str, str]:
    """What opens the backups that are rehearsed with."""
    return {"password": assignment.writers[rehearsal.host]["repository_password"]}


def _lease() -> dict[str, Any]:
    return {"lease_seconds": LEASE.total_seconds()}


def _end_of(error: OrchestratorError) -> StepState:
    ends = {Kind.UNAVAILABLE: StepState.UNREACHABLE, Kind.CONFLICT: StepState.CANCELLED}
    return ends.get(error.kind, StepState.FAILED)
