"""kill -9 at every transition of a run's life, on both databases."""

import signal

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from tests.adapters.engine.conftest import Engine
from tests.adapters.engine.program import Mishap

pytestmark = pytest.mark.slow

THIRD = "alpha.provision"
"""The third step to start, finish and tell something: the first two are prechecks, and it runs alone."""

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
"""Where the worker dies, and the step that is started again because of it."""


class TestAWorkerKilled:
    @pytest.mark.parametrize(("mishap", "again"), MATRIX.items(), ids=map(str, MATRIX))
    def test_leaves_its_run_to_another(self, engine: Engine, mishap: Mishap, again: str | None) -> None:
        run = engine.apply(engine.order())
        other = engine.app.ordering.plan(engine.order(services="alpha"))
        victim = engine.start(mishap=mishap)
        victim.join(30)
        assert victim.exitcode == -signal.SIGKILL
        if str(mishap) != "after-conclude":
            with pytest.raises(OrchestratorError) as refused:
                engine.app.provisioning.open_run(other.id)
            assert refused.value.kind is Kind.CONFLICT, "the agency is still taken"
        engine.start()
        engine.check_succeeded(run, again=again)
