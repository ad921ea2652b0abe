"""kill -9 at every transition of a run, on both databases."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from tests.adapters.engine.conftest import Engine, settings_for
from tests.adapters.engine.program import Mishap
from tests.entrypoints.cli.conftest import PATIENCE

pytestmark = [pytest.mark.attack, pytest.mark.slow]

THIRD = "alpha.provision"
"""The third step to start, finish and report: the first two are prechecks, and it runs alone."""

MATRIX = {
    Mishap("admit", "before"): None,
    Mishap("admit", "after"): None,
    Mishap("begin", "before"): None,
    Mishap("begin", "after"): None,
    Mishap("start", "before", 3): None,
    Mishap("start", "after", 3): THIRD,
    Mishap("note", "before", 3): THIRD,
    Mishap("note", "after", 3): THIRD,
    Mishap("finish", "before", 3): THIRD,
    Mishap("finish", "after", 3): None,
    Mishap("conclude", "before"): None,
    Mishap("conclude", "after"): None,
}
"""Where the worker dies, and the step that is restarted because of it."""

AT_ONCE = 4
"""Most of the time of a case is spent waiting until a worker has been gone for three seconds."""


def killed(engine: Engine, mishap: Mishap) -> int:
    """Let a worker die and another take over. Returns the run when it is over."""
    run = engine.apply(engine.order(services="alpha beta"))
    other = engine.app.ordering.planning.plan(engine.order())
    victim = engine.start(mishap=mishap)
    victim.join(PATIENCE)
    assert victim.exitcode == -signal.SIGKILL
    if str(mishap) != "after-conclude":
        with pytest.raises(OrchestratorError) as refused:
            engine.app.ordering.provisioning.open_run(other.id)
        assert refused.value.kind is Kind.CONFLICT, "the agency is still taken"
    engine.start()
    engine.ended(run)
    engine.end_workers()
    return run


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def cases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Mishap, tuple[Engine, "Future[int]"]]]:
    """Run every case, each on its own database, several at a time."""
    databases = request.getfixturevalue("sqlite_databases" if request.param == "sqlite" else "postgres_databases")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = {}
        for mishap in MATRIX:
            folder: Path = tmp_path_factory.mktemp(str(mishap))
            engine = Engine(settings_for(databases.current(folder), folder), folder / "journal")
            started[mishap] = (engine, pool.submit(killed, engine, mishap))
        yield started
    for engine, _ in started.values():
        engine.close()


class TestAKilledWorker:
    @pytest.mark.parametrize(("mishap", "again"), MATRIX.items(), ids=map(str, MATRIX))
    def test_leaves_its_run_to_another(
        self, cases: dict[Mishap, tuple[Engine, "Future[int]"]], mishap: Mishap, again: str | None
    ) -> None:
        engine, run = cases[mishap]
        engine.check_succeeded(run.result(PATIENCE), again=again)
        engine.close()
