"""Which runs may start: limits hold, urgent ones come first, and nobody waits for ever."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.admission import Limits, Place, admissible, review
from orchestrator.domain.runs.run import Run, RunState
from orchestrator.domain.runs.run_options import Priority
from orchestrator.domain.runs.waits import ForPlace, ForRun, ForWorker, Wait

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WIDE = Limits(runs=100, site=100, host=100)


def place(number: int, *hosts: str, site: str = "here") -> Place:
    return Place(number, f"agency-{number}", site, hosts)


def waits(queue: list[Place], active: list[Place], limits: Limits) -> dict[int, Wait | None]:
    return {p.run: reason for p, reason in review(queue, active, limits)}


def run(number: int, priority: str, minutes: float) -> Run:
    return Run(
        id=number, agency="a", site="s", purpose=Purpose.CHANGE, plan=1, state=RunState.QUEUED,
        priority=Priority(priority), created_at=NOW + timedelta(minutes=minutes),
    )  # fmt: skip


class TestARun:
    def test_starts_when_nothing_is_in_its_way(self) -> None:
        assert waits([place(1, "gw1")], [], WIDE) == {1: None}

    def test_waits_for_a_place(self) -> None:
        limits = WIDE.model_copy(update={"runs": 1})
        assert waits([place(2, "pc1")], [place(1, "gw1")], limits) == {2: ForPlace(places=1)}

    def test_starts_while_there_is_a_place(self) -> None:
        queue = [place(2, "a"), place(3, "b"), place(4, "c")]
        for limits in (WIDE.model_copy(update={"runs": 3}), WIDE.model_copy(update={"site": 3})):
            assert [run for run, wait in waits(queue, [place(1, "d")], limits).items() if wait is None] == [2, 3]

    def test_waits_for_a_worker_when_there_is_none(self) -> None:
        assert waits([place(1)], [], WIDE.model_copy(update={"runs": 0})) == {1: ForWorker()}

    def test_waits_for_a_place_at_its_site_while_others_pass(self) -> None:
        queue = [place(2, "a"), place(3, "a", site="there")]
        found = waits(queue, [place(1, "b")], WIDE.model_copy(update={"site": 1}))
        assert found == {2: ForPlace(places=1, site="here"), 3: None}

    def test_names_the_run_and_the_host_it_waits_for(self) -> None:
        busy = Place(12, "cabinet-office", "here", ("desk1", "gw1"))
        found = waits([place(13, "desk1", "pc1")], [busy], WIDE.model_copy(update={"host": 1}))
        assert found == {13: ForRun(run=12, agency="cabinet-office", host="desk1")}

    def test_is_not_overtaken_on_a_host_it_waits_for(self) -> None:
        """A run that needs two hosts would otherwise starve behind runs that need one."""
        queue = [place(2, "a", "b"), place(3, "b"), place(4, "c")]
        found = waits(queue, [place(1, "a")], WIDE.model_copy(update={"host": 1}))
        first, second = (ForRun(run=n, agency=f"agency-{n}", host=host) for n, host in ((1, "a"), (2, "b")))
        assert found == {2: first, 3: second, 4: None}

    def test_on_a_host_of_the_same_name_at_another_site_is_in_nobodys_way(self) -> None:
        found = waits([place(2, "gw1", site="there")], [place(1, "gw1")], WIDE.model_copy(update={"host": 1}))
        assert found == {2: None}


class TestTheQueue:
    def test_is_in_the_order_of_urgency_and_then_of_age(self) -> None:
        runs = [
            run(1, "drift", 0), run(2, "drill", 0), run(3, "change", 0), run(4, "incident", 5), run(5, "change", 1)
        ]  # fmt: skip
        assert [r.id for r in sorted(runs, key=lambda r: r.due_at)] == [4, 3, 5, 2, 1]

    def test_lets_nobody_wait_for_ever(self) -> None:
        old = run(1, "drift", 0)
        assert all(old.due_at < run(2, p, 241).due_at for p in Priority)


HOSTS = st.lists(st.sampled_from("abcde"), unique=True, max_size=3).map(tuple)
PLACES = st.lists(st.tuples(HOSTS, st.sampled_from(["x", "y"])), max_size=14)


class TestLimits:
    @given(queued=PLACES, busy=PLACES, runs=st.integers(0, 9), site=st.integers(1, 6), host=st.integers(1, 3))
    def test_hold_whatever_is_queued(
        self, queued: list[tuple[tuple[str, ...], str]], busy: list[tuple[tuple[str, ...], str]],
        runs: int, site: int, host: int,
    ) -> None:  # fmt: skip
        limits = Limits(runs=runs, site=site, host=host)
        start = [Place(i, f"a{i}", s, h) for i, (h, s) in enumerate(busy)]
        active: list[Place] = []
        for one in start:  # what is active was once admitted
            active += admissible([one], active, limits)
        queue = [Place(100 + i, f"q{i}", s, h) for i, (h, s) in enumerate(queued)]
        admitted = admissible(queue, active, limits)
        together = [*active, *admitted]
        assert len(together) <= runs
        for name in ("x", "y"):
            there = [p for p in together if p.site == name]
            assert len(there) <= site
            assert all(sum(h in p.hosts for p in there) <= host for h in "abcde")
        if queue and not active and runs:
            assert admitted[:1] == (queue[0],), "on an idle system the first in the queue starts"
