"""Trying: using a restored service as its users do, until three of them in a row could work."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.recovery.recovery_time import EVERY, IN_A_ROW, Watched
from orchestrator.ports.drilling import RecoveryHost, Rehearsal, Stopwatch, User
from orchestrator.usecases.recovery.leasing import CANCELLED, SHORT, Lease

ATTEMPT = timedelta(seconds=10)
TELL = timedelta(seconds=15)
"""How often a drill reports that it waits for the service."""


@dataclass(frozen=True)
class Trying:
    rehearsal: Rehearsal
    lease: Lease
    stopwatch: Stopwatch
    pause: Callable[[float], None]
    tell: Callable[[str], None]
    cancelled: Callable[[], bool]

    def until(self, end: float) -> tuple[Watched, bool]:
        """What the users found, and whether the wait was in vain until the stopwatch showed `end`. Raises if the drill
        is gone, or the recovery host has been away for too long."""
        told = self.stopwatch.read().seconds
        for watched in self._attempts():
            if watched.recovered:
                return watched, False
            if watched.is_over(self.stopwatch.read().seconds, end=end):
                return watched, True
            if self.lease.lost:
                raise self.lease.lost
            if self.cancelled():
                raise OrchestratorError(Kind.CONFLICT, CANCELLED)
            told = self._tell(watched, told, end=end)
        raise AssertionError  # there is always another attempt

    def _tell(self, watched: Watched, told: float, *, end: float) -> float:
        """Report progress from time to time. Returns when that was last done."""
        now = self.stopwatch.read().seconds
        if now - told < TELL.total_seconds():
            return told
        if watched.row:
            self.tell(f"{watched.row} of {IN_A_ROW} in a row could work")
        else:
            self.tell(f"nobody can work yet, giving up in {end - now:.0f} s: {watched.complaint or 'no answer'}")
        return now

    def _attempts(self) -> Iterator[Watched]:
        """One attempt after another, each begun at most a moment after the one before. A user who gets no answer has
        still made an attempt. That user hangs up, and another begins."""
        watched = Watched()
        while True:
            try:
                with self.lease.reach.once() as host:
                    while True:
                        for found in self._attempts_from(host, watched):
                            watched = found
                            yield watched
            except OrchestratorError as error:
                self.lease.confirm()
                watched = watched.interrupted(error.message)
            yield watched
            self.pause(EVERY.total_seconds())

    def _attempts_from(self, host: RecoveryHost, watched: Watched) -> Iterator[Watched]:
        """The attempts of one user, until there is no answer. No user may exist before the service does."""
        try:
            with user_of(host, self.rehearsal) as user:
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
        except OrchestratorError as error:
            if error.kind is Kind.UNAVAILABLE:
                raise
            watched = watched.interrupted(error.message)
        yield watched.interrupted(watched.complaint)
        self.pause(EVERY.total_seconds())


def user_of(host: RecoveryHost, rehearsal: Rehearsal) -> AbstractContextManager[User]:
    """A user of the restored service, who is told what users of the live one are, and where the restored one is."""
    assert rehearsal.earlier.prepare
    introduction = {**rehearsal.user, "address": rehearsal.earlier.prepare.address, "authority": None}
    if rehearsal.trust is not None:
        asked = {"drill": rehearsal.drill.id, "file": rehearsal.trust}
        introduction["authority"] = host.operate("read", asked, within=SHORT)["content"]
    return host.user(rehearsal.drill.component, introduction)


def records_of(user: User, *, first: int) -> list[str] | None:
    """The canaries from a number on that a user finds; None if the service accepts none."""
    if user.ask({"op": "describe"}, within=ATTEMPT).get("canary") is False:
        return None
    answer = user.ask({"op": "read", "first": first}, within=SHORT)
    if not answer.get("ok"):
        raise OrchestratorError(Kind.FAILED, f"the canaries cannot be read: {answer.get('detail')}")
    return [str(text) for text in answer["records"]]
