"""Checks of hosts, clocks and schedules, on a fleet that a test makes up."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.usecases.examining import CannotTellError, CheckState, Examining, examine
from tests.usecases.conftest import House, order


class Hosts:
    """Hosts whose clocks are so many seconds off; None: they do not answer."""

    def __init__(self, clock: Any, offset: float | None) -> None:
        self._clock, self._offset = clock, offset

    @contextmanager
    def connect(self, _site: Any, host: str) -> Iterator["Hosts"]:
        if self._offset is None:
            raise OrchestratorError(Kind.UNAVAILABLE, f"{host} does not answer")
        yield self

    def read(self, file: str) -> str:
        assert self._offset is not None
        now = self._clock.now().timestamp() + self._offset
        return f"cpu 1 2\nbtime {int(now) - 1000}\n" if file == "/proc/stat" else f"{1000 + now % 1:.2f} 5000.00\n"


class TestExamine:
    def test_continues_whatever_a_check_finds(self) -> None:
        def broken() -> str:
            raise OrchestratorError(Kind.FAILED, "it broke", details=("here",), hint="fix it")

        def unknown() -> str:
            raise CannotTellError("nothing to see")

        found = examine({"one": broken, "two": unknown, "three": lambda: "right"})
        assert [(f.check, f.standing, f.says, f.hint) for f in found] == [
            ("one", CheckState.FAILED, "it broke", "fix it"),
            ("two", CheckState.UNKNOWN, "nothing to see", None),
            ("three", CheckState.PASSED, "right", None),
        ]


class TestHosts:
    def of(self, house: House, offset: float | None) -> Examining:
        hosts: Any = Hosts(house.clock, offset)
        return Examining(source=house.planning.source, store=house.store, clock=house.clock, hosts=hosts)

    def test_that_serve_nobody_are_not_asked(self, house: House) -> None:
        with pytest.raises(CannotTellError, match="no agency is in service"):
            self.of(house, None).sites()

    @pytest.mark.parametrize("offset", [0.0, 1.9, -1.9])
    def test_that_answer_and_agree_about_the_time_pass(self, house: House, offset: float) -> None:
        house.apply(order())
        assert "let us in" in self.of(house, offset).sites()

    @pytest.mark.parametrize(
        ("offset", "says"), [(None, "does not answer"), (60, "+60 s off ours"), (-5, "-5 s off ours")]
    )
    def test_that_do_not_answer_or_agree_are_named(self, house: House, offset: float | None, says: str) -> None:
        house.apply(order())
        with pytest.raises(OrchestratorError, match="hosts are not in order") as refused:
            self.of(house, offset).sites()
        assert says in refused.value.details[0]
        assert refused.value.details[0].startswith("bench: ")


class TestSchedules:
    def test_are_counted_as_ticking_or_behind_or_not_due_yet(self, house: House) -> None:
        hosts: Any = Hosts(house.clock, 0)
        examining = Examining(source=house.planning.source, store=house.store, clock=house.clock, hosts=hosts)
        intervals = {"often": timedelta(minutes=1), "nightly": timedelta(days=1)}
        with pytest.raises(CannotTellError, match="nothing was ever due"):
            examining.schedules(intervals)
        with house.store.begin() as tx:
            tx.ticks.take("often", house.clock.now(), at=house.clock.now())
        assert examining.schedules(intervals) == "1 of them tick, 1 not due yet"
        house.clock.turn(minutes=3)
        with pytest.raises(OrchestratorError, match="schedules are behind") as refused:
            examining.schedules(intervals)
        assert refused.value.details == ("often: last at 2026-11-22 09:00 UTC",)
