"""A warm step is the same step, only faster: the same events, its own settings, and nothing left behind."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.adapters.ansible import forkclient, forkserver
from orchestrator.adapters.ansible.guard import descendants
from tests.adapters.ansible.conftest import Steps
from tests.entrypoints.cli.conftest import eventually, processes_mentioning

pytestmark = pytest.mark.slow

STARTS = ["warm", "cold"]


def below(what: str, text: str) -> list[int]:
    """Ids of live processes below this one with a text in their `cmdline` or `comm`."""
    found = []
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has ended since
            if text in Path(f"/proc/{pid}/{what}").read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.append(pid)
    return found


def parent(pid: int) -> int:
    status = Path(f"/proc/{pid}/stat").read_text()
    return int(status[status.rindex(")") :].split()[2])


def warm_servers() -> list[int]:
    """Ids of this process's warm servers: its children, unlike their forks."""
    return [pid for pid in below("cmdline", forkserver.__name__) if parent(pid) == os.getpid()]


@pytest.fixture
def servers() -> Callable[[], list[int]]:
    """Ids of the warm servers that this test started: earlier tests may have left some of theirs."""
    before = warm_servers()
    return lambda: [pid for pid in warm_servers() if pid not in before]


def plays(sleep: str) -> list[int]:
    """Ids of the play that sleeps this long, which comes first, and of its workers."""
    return below("comm", "ansible-playboo") if processes_mentioning(f"sleep {sleep}") else []


class TestAStep:
    @pytest.mark.parametrize("variables", [{}, {"journal_tell": True}, {"journal_fail_while": "/"}])
    def test_reports_and_ends_the_same_warm_and_cold(
        self, make_steps: Callable[[str], Steps], variables: dict[str, object]
    ) -> None:
        warm, cold = (make_steps(start).run(**variables) for start in STARTS)
        assert warm.tasks == cold.tasks
        assert warm.outcome == cold.outcome
        assert len(warm.tasks) > 2

    def test_finds_its_own_settings_and_nothing_of_the_step_before(
        self, make_steps: Callable[[str], Steps], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        warm, cold = make_steps("warm"), make_steps("cold")
        first, second, third = warm.told(site="one"), warm.told(site="two"), cold.told(site="one")
        assert [forkserver.__name__ in told["process"] for told in (first, second, third)] == [True, True, False]
        for told, site in ((first, "one"), (second, "two"), (third, "one")):
            assert f"UserKnownHostsFile={warm.folder / site} " in told["ssh"]
            private = told["temporary"].split("/tmp/ansible-local")[0]
            assert f"AWX_ISOLATED_DATA_DIR={private}/artifacts" in told["environment"]
            assert told["roles"] == [str(warm.playbooks / "roles")]
            assert told["host_key_checking"] is True
            assert told["secret"] == "a-secret-of-the-test"
        assert len({told["temporary"] for told in (first, second, third)}) == 3
        assert len({told["ids"] for told in (first, second, third)}) == 3, "task ids must not repeat"

        monkeypatch.setenv("OF_ONE_STEP", "yes")
        monkeypatch.setenv("ORCHESTRATOR_DATABASE__URL", "with a password")
        with_it = warm.told()
        assert "OF_ONE_STEP=yes" in with_it["environment"]
        assert "ORCHESTRATOR_" not in with_it["environment"]
        monkeypatch.delenv("OF_ONE_STEP")
        without = warm.told()
        assert "OF_ONE_STEP" not in without["environment"]
        assert forkserver.__name__ in without["process"]

    def test_does_not_wait_for_another(self, warm: Steps) -> None:
        long = warm.start(journal_sleep="31.25")
        eventually(lambda: plays("31.25"))
        assert warm.run().ended().state == "succeeded"
        assert long.outcome is None
        long.cancelled = True
        assert long.ended().state == "cancelled"
        assert processes_mentioning("sleep 31.25") == []

    def test_runs_a_changed_module_as_it_is_now(self, servers: Callable[[], list[int]], warm: Steps) -> None:
        assert warm.told()["answer"] == "forty-two"
        before = servers()
        assert warm.told()["answer"] == "forty-two"
        assert servers() == before
        warm.answer_is("forty-three")
        assert warm.told()["answer"] == "forty-three"
        assert len(servers()) == 1
        assert servers() != before


class TestAKill:
    def test_of_the_server_disturbs_no_step(self, servers: Callable[[], list[int]], warm: Steps) -> None:
        step = warm.start(journal_sleep="3.75")
        eventually(lambda: plays("3.75"))
        [server] = eventually(servers)
        os.kill(server, signal.SIGKILL)
        assert step.ended().state == "succeeded"
        assert forkserver.__name__ in warm.told()["process"]
        assert servers() != [server]

    @pytest.mark.parametrize("start", STARTS)
    @pytest.mark.parametrize("generation", ["play", "guard", "guard's guard"])
    def test_leaves_nothing_of_the_step(self, make_steps: Callable[[str], Steps], start: str, generation: str) -> None:
        step = make_steps(start).start(journal_sleep="32.25")
        play = min(eventually(lambda: plays("32.25")))
        victim = {"play": play, "guard": parent(play), "guard's guard": parent(parent(play))}[generation]
        os.kill(victim, signal.SIGKILL)
        assert step.ended().state == "errored"
        assert processes_mentioning("sleep 32.25") == []
        assert plays("32.25") == []

    def test_of_the_client_ends_the_step(self, warm: Steps) -> None:
        step = warm.start(journal_sleep="33.25")
        eventually(lambda: plays("33.25"))
        [client] = eventually(lambda: below("cmdline", forkclient.__file__))
        os.kill(client, signal.SIGKILL)
        assert step.ended().state == "errored"
        eventually(lambda: not processes_mentioning("sleep 33.25"))


class TestWithoutAServer:
    def test_a_step_starts_cold(
        self, servers: Callable[[], list[int]], warm: Steps, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forkserver, "__name__", "orchestrator.adapters.ansible.no_such_module")
        assert "forkserver" not in warm.told()["process"]
        assert "forkserver" not in warm.told()["process"]
        assert servers() == [], "what has failed is not tried again at once"
