"""A recovery host that lives in memory, for tests of what the use-cases decide. Real ones are in tests/playbooks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.domain.recovery.recovery_time import StopwatchReading
from orchestrator.ports.drilling import DrillGoneError
from tests.usecases.conftest import TurnableClock


@dataclass
class Service:
    """What users of one component find: the live one and, once restored, the copy."""

    records: list[str] = field(default_factory=list)
    keeps: bool = True
    there: Callable[[], float | None] = lambda: None

    def ask(self, request: Mapping[str, Any], *, within: timedelta) -> dict[str, Any]:
        if request["op"] == "write":
            self.records.append(request["text"])
        if request["op"] == "describe":
            return {"ok": True, "canary": self.keeps, "time": self.there()}
        first = request.get("first", 1)
        return {"ok": True, "records": [text for text in self.records if int(text.split()[1]) >= first]}


@dataclass
class MemoryHost:
    """`broken` maps an operation to what it fails with; `backups` are (taken at, records). `fast` is how far its clock
    is ahead. While it is away it answers nothing."""

    clock: TurnableClock
    fast: float = 0.0
    away_until: datetime | None = None
    live: Service = field(default_factory=Service)
    backups: list[tuple[str, list[str]]] = field(default_factory=list)
    broken: dict[str, OrchestratorError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    told: list[Mapping[str, Any]] = field(default_factory=list)
    bubbles: set[int] = field(default_factory=set)
    copy: Service = field(default_factory=Service)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    worker_stops: bool = False

    def __post_init__(self) -> None:
        self.live.there = self.copy.there = self.time

    def time(self) -> float:
        return self.clock.now().timestamp() + self.fast

    def back_up(self) -> None:
        self.backups.append((self.clock.now().isoformat(), list(self.live.records)))

    @contextmanager
    def connect(self, site: Site, host: str) -> Iterator["MemoryHost"]:
        self._answer()
        yield self

    def _answer(self) -> None:
        if self.away_until and self.clock.now() < self.away_until:
            raise no_answer()

    def operate(
        self,
        operation: str,
        document: Mapping[str, Any],
        *,
        within: timedelta,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        self._answer()
        self.asked.append(operation)
        self.told.append(document)
        if operation in self.broken:
            raise self.broken[operation]
        if "password" in document:
            assert document["password"]
        answer: dict[str, Any] = getattr(self, operation, lambda _: {})(document)
        return {**answer, **self.answers.get(operation, {})}

    def precheck(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"time": self.time()}

    def pin(self, document: Mapping[str, Any]) -> dict[str, Any]:
        self.bubbles.add(document["drill"])
        named = [
            {"id": str(n), "time": at, "tree": "t", "bytes": 1, "files": 1, "sha256": "0" * 64}
            for n, (at, _) in enumerate(self.backups)
        ]
        self.copy.records = list(self.backups[-1][1]) if self.backups else []
        return {"snapshots": named, "chosen": named[-1]["id"] if named else None}

    def prepare(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"address": "10.255.0.2"}

    def check(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {part: {"passed": True, "detail": ""} for part in ("backup_tool", "engine", "manifest", "invariants")}

    def leaks(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return {"attempts": [{**t, "blocked": True, "control": True} for t in document["targets"]]}

    def renew(self, document: Mapping[str, Any]) -> dict[str, Any]:
        if document["drill"] not in self.bubbles:
            raise DrillGoneError("recovery host: no such drill")
        return {}

    def cleanup(self, document: Mapping[str, Any]) -> dict[str, Any]:
        self.bubbles.discard(document["drill"])
        return {"removed": ["bubble"], "leftovers": []}

    def read(self, file: str) -> str:
        return f"content of {file}"

    @contextmanager
    def user(self, component: str, introduction: Mapping[str, Any]) -> Iterator[Service]:
        assert introduction["secrets"]
        self._answer()
        if "user" in self.broken:
            raise self.broken["user"]
        yield self.copy if introduction["address"] == "10.255.0.2" else self.live


@dataclass
class TurnableStopwatch:
    """Goes on with the clock, and shows `ahead` more than it: so far was the clock set back."""

    clock: TurnableClock
    boot: str = "here"
    ahead: float = 0.0

    def read(self) -> StopwatchReading:
        return StopwatchReading(boot=self.boot, seconds=self.clock.now().timestamp() + self.ahead)

    def set_clock(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self.clock.turn(seconds=seconds)
        self.ahead -= seconds


def no_answer() -> OrchestratorError:
    return OrchestratorError(Kind.UNAVAILABLE, "recovery host: no answer")


def refusal(why: str) -> OrchestratorError:
    return OrchestratorError(Kind.FAILED, why)
