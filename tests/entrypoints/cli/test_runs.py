"""Runs on the command line: durable, stoppable, resumable. Real Ansible on this machine, really killed."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.adapters.ansible import forkserver
from orchestrator.adapters.ansible.guard import descendants
from orchestrator.adapters.ansible.workspace import TMPFS
from tests.entrypoints.cli.conftest import PATIENCE, CommandLine, eventually, processes_mentioning

pytestmark = pytest.mark.slow


def workspaces() -> set[Path]:
    """Private data directories of steps."""
    return set(TMPFS.glob("orchestrator-*"))


def commands_below(pid: int) -> list[str]:
    """Some end while they are listed."""
    found = []
    for child in descendants(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append(Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace"))
    return found


def steps_of(run: dict[str, object]) -> dict[str, str]:
    return {s["id"]: s["state"] for s in run["steps"]}  # type: ignore[index, attr-defined]


class TestApply:
    def test_brings_every_component_into_service_once(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order()
        run = orchestrator.json("apply", order, "--yes")
        assert run["state"] == "succeeded"
        assert set(steps_of(run).values()) == {"succeeded"}
        agency = orchestrator.json("agency", "show", "test-agency")
        assert {s["component"]: s["status"] for s in agency["services"]} == dict.fromkeys(
            ["alpha", "beta", "gamma", "delta"], "in_service"
        )
        assert [s["endpoints"] for s in agency["services"]] == [[{"name": "place", "address": "127.0.0.1"}]] * 4
        journal = orchestrator.journal()
        assert journal[:4] == ["precheck test-agency place here"] * 4, "nothing is touched before every precheck"
        assert journal.count("provisioned test-agency here") == 4

        again = orchestrator("apply", order, "--yes")
        assert "Nothing to change" in again.stdout
        assert orchestrator.journal() == journal
        orchestrator("plan", order, "--detailed-exitcode", expect=0)

    def test_runs_independent_steps_in_parallel(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {}, "beta": {"sleep": 2}, "gamma": {"sleep": 2}})
        run = orchestrator.json("apply", order, "--yes")
        at = {s["id"]: (s["started_at"], s["finished_at"]) for s in run["steps"]}
        beta, gamma = at["beta.provision"], at["gamma.provision"]
        assert beta[0] < gamma[1]
        assert gamma[0] < beta[1]
        assert at["alpha.verify"][1] <= min(beta[0], gamma[0]), "what is needed comes first"

    def test_refuses_a_stale_plan(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {}})
        stale = orchestrator.json("plan", order)["plan"]
        orchestrator("apply", order, "--yes")
        refused = orchestrator("apply", stale, expect=5)
        assert f"plan {stale} is stale" in refused.stderr
        assert "plan again" in refused.stderr

    def test_asks_before_it_acts(self, orchestrator: CommandLine) -> None:
        refused = orchestrator("apply", orchestrator.order(), expect=2)
        assert "add --yes" in refused.stderr
        assert orchestrator.json("run", "list") == {"runs": []}


class TestAFailedStep:
    def test_stops_the_run_and_resume_continues_from_there(self, orchestrator: CommandLine) -> None:
        obstacle = orchestrator.folder / "obstacle"
        obstacle.touch()
        order = orchestrator.order(services={"alpha": {}, "beta": {"fail_while": str(obstacle)}})
        failed = orchestrator("apply", order, "--yes", expect=1)
        assert "beta.provision failed" in failed.stderr
        assert "orchestrator run resume 1" in failed.stderr
        assert orchestrator.json("run", "show", 1)["state"] == "failed"
        services = orchestrator.json("agency", "show", "test-agency")["services"]
        assert {s["component"]: s["status"] for s in services} == {"alpha": "in_service", "beta": "failed"}
        before = orchestrator.journal()

        obstacle.unlink()
        orchestrator("run", "resume", 1)
        run = orchestrator.json("run", "show", 1)
        assert (run["state"], run["attempt"]) == ("succeeded", 2)
        assert orchestrator.journal()[len(before) :] == [
            "provision test-agency place here",
            "provisioned test-agency here",
            "verify test-agency place here",
        ], "what had finished is not done again"

    def test_of_an_onboarding_removes_what_was_built_when_asked_to(self, orchestrator: CommandLine) -> None:
        obstacle = orchestrator.folder / "obstacle"
        obstacle.touch()
        order = orchestrator.order(services={"alpha": {}, "beta": {"fail_while": str(obstacle)}})
        failed = orchestrator("apply", order, "--yes", "--on-failure", "roll_back", expect=1)
        assert "run 1 of test-agency failed: beta.provision failed" in failed.stderr
        assert "run 2 removes what it has built" in failed.stderr
        assert "fix the cause, then apply again" in failed.stderr
        undoing = orchestrator.json("run", "show", 2)
        assert (undoing["kind"], undoing["state"], undoing["cause"]) == ("offboard", "succeeded", 1)
        assert [s["id"] for s in undoing["steps"]] == ["beta.retire", "alpha.retire"]
        assert orchestrator.json("agency", "show", "test-agency")["allocations"] == {}
        orchestrator("run", "resume", 1, expect=5)

    def test_that_takes_too_long_is_stopped_and_reported_as_such(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {}, "gamma": {"sleep": 321.5}})
        orchestrator("apply", order, "--yes", expect=1)
        assert steps_of(orchestrator.json("run", "show", 1))["gamma.provision"] == "timed_out"
        assert processes_mentioning("sleep 321.5") == []


class TestCancel:
    def test_kills_everything_that_the_run_started(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {"sleep": 322.5}})
        apply = orchestrator.start("apply", order, "--yes")
        eventually(lambda: processes_mentioning("sleep 322.5"))
        orchestrator("run", "cancel", 1)
        eventually(lambda: not processes_mentioning("sleep 322.5"))
        assert apply.wait(PATIENCE) == 1
        run = orchestrator.json("run", "show", 1)
        assert run["state"] == "cancelled"
        assert steps_of(run)["alpha.provision"] == "cancelled"
        orchestrator("run", "cancel", 1, expect=5)

    def test_happens_on_ctrl_c_and_the_next_command_works(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {"sleep": 323.5}})
        apply = orchestrator.start("apply", order, "--yes")
        eventually(lambda: processes_mentioning("sleep 323.5"))
        apply.send_signal(signal.SIGINT)
        assert apply.wait(PATIENCE) == 130
        assert processes_mentioning("sleep 323.5") == []
        assert orchestrator.json("run", "show", 1)["state"] == "cancelled"
        orchestrator("apply", orchestrator.order(services={"alpha": {}}), "--yes")


class TestKillMinusNine:
    def test_leaves_no_process_and_the_run_continues_without_repeating_steps(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {}, "beta": {"sleep": 30.25}})
        apply = orchestrator.start("apply", order, "--yes")
        eventually(lambda: orchestrator.journal().count("provision test-agency place here") == 2)
        [private] = [w for w in workspaces() if any(str(w) in line for line in commands_below(apply.pid))]
        [server] = {line for line in commands_below(apply.pid) if forkserver.__name__ in line}
        [packed] = [argument for argument in server.split("\0") if "orchestrator.warm-" in argument]
        apply.kill()
        apply.wait()
        eventually(lambda: not processes_mentioning("sleep 30.25"))
        eventually(lambda: not processes_mentioning(str(private)))
        eventually(lambda: not private.exists())
        eventually(lambda: not processes_mentioning(packed))
        assert not Path(packed).exists()
        before = orchestrator.journal()
        assert before.count("provisioned test-agency here") == 1

        orchestrator("apply", order, "--yes")
        run = orchestrator.json("run", "show", 1)
        assert run["state"] == "succeeded"
        assert {s["id"]: s["attempt"] for s in run["steps"]}["beta.provision"] == 2
        assert [s["id"] for s in run["steps"] if s["attempt"] > 1] == ["beta.provision"]
        assert orchestrator.journal()[len(before) :] == [
            "provision test-agency place here",
            "provisioned test-agency here",
            "verify test-agency place here",
        ]

    def test_and_a_pause_past_the_lease_are_survived_alike(self, orchestrator: CommandLine) -> None:
        """A machine that was suspended: the guards stopped the step, and the worker starts it again when it wakes."""
        order = orchestrator.order(services={"alpha": {"sleep": 15.25}})
        lease = {"ORCHESTRATOR_WORKER__LEASE_SECONDS": "8", "ORCHESTRATOR_WORKER__BEAT_SECONDS": "0.5"}
        apply = orchestrator.start("apply", order, "--yes", **lease)
        eventually(lambda: processes_mentioning("sleep 15.25"))
        apply.send_signal(signal.SIGSTOP)
        eventually(lambda: not processes_mentioning("sleep 15.25"))
        time.sleep(3)
        apply.send_signal(signal.SIGCONT)
        assert apply.wait(PATIENCE) == 0
        steps = {s["id"]: s["attempt"] for s in orchestrator.json("run", "show", 1)["steps"]}
        assert steps == {"alpha.precheck": 1, "alpha.provision": 2, "alpha.verify": 1}
        assert orchestrator.journal().count("provisioned test-agency here") == 1

    def test_of_ansible_itself_is_a_failed_step_not_a_lost_run(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {"sleep": 324.5}})
        apply = orchestrator.start("apply", order, "--yes")
        eventually(lambda: processes_mentioning("sleep 324.5"))
        for pid in descendants(apply.pid):
            with suppress(OSError):  # it has ended since
                if Path(f"/proc/{pid}/comm").read_text().strip() == "ansible-playbook"[:15]:
                    os.kill(pid, signal.SIGKILL)
        assert apply.wait(PATIENCE) == 1
        assert processes_mentioning("sleep 324.5") == []
        assert steps_of(orchestrator.json("run", "show", 1))["alpha.provision"] == "errored"


class TestOneAgency:
    def test_has_one_open_run(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {"sleep": 325.5}})
        orchestrator.start("apply", order, "--yes")
        eventually(lambda: processes_mentioning("sleep 325.5"))
        other = orchestrator.order(services={"alpha": {"sleep": 1}})
        plan = orchestrator.json("plan", other)["plan"]
        refused = orchestrator("apply", plan, expect=5)
        assert "one open run at a time" in refused.stderr
        orchestrator("run", "cancel", 1)


class TestAWorker:
    def test_takes_what_is_queued_and_leaves_running_steps_to_others(self, orchestrator: CommandLine) -> None:
        order = orchestrator.order(services={"alpha": {"sleep": 12.25}})
        orchestrator("apply", order, "--yes", "--no-follow")
        first = orchestrator.start("worker")
        eventually(lambda: processes_mentioning("sleep 12.25"))
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE) == 0
        assert processes_mentioning("sleep 12.25") == []
        assert orchestrator.json("run", "show", 1)["state"] == "running"
        orchestrator.start("worker")
        eventually(lambda: orchestrator.json("run", "show", 1)["state"] == "succeeded")
        assert orchestrator.journal().count("provisioned test-agency here") == 1

    def test_inside_apply_takes_its_own_run_only_and_says_how_it_ended(self, orchestrator: CommandLine) -> None:
        other = orchestrator.order("other-agency", services={"epsilon": {}})
        orchestrator("apply", other, "--yes", "--no-follow")
        obstacle = orchestrator.folder / "obstacle"
        obstacle.touch()
        order = orchestrator.order(services={"alpha": {"fail_while": str(obstacle)}})
        said = orchestrator("apply", order, "--yes", expect=1).stderr
        assert "alpha.provision failed" in said
        left = orchestrator.json("run", "show", 1)
        assert (left["state"], {s["attempt"] for s in left["steps"]}) == ("queued", {0})
        assert "no worker is running: it starts with one (orchestrator worker)" in left["next"]
        assert not [line for line in orchestrator.journal() if "other-agency" in line]

    def test_inside_each_of_two_commands_serves_only_its_own_run(self, orchestrator: CommandLine) -> None:
        first = orchestrator.order(services={"alpha": {"sleep": 327.5}})
        applying = orchestrator.start("apply", first, "--yes")
        eventually(lambda: processes_mentioning("sleep 327.5"))
        run = orchestrator.json("apply", orchestrator.order("other-agency", services={"epsilon": {}}), "--yes")
        assert run["state"] == "succeeded"
        assert applying.poll() is None
        orchestrator("run", "cancel", 1)
        assert applying.wait(PATIENCE) == 1

    def test_inside_apply_finishes_a_run_that_it_had_to_take_over(self, orchestrator: CommandLine) -> None:
        other = orchestrator.order("other-agency", services={"epsilon": {"sleep": 20.25}})
        dead = orchestrator.start("apply", other, "--yes")
        eventually(lambda: processes_mentioning("sleep 20.25"))
        dead.kill()
        dead.wait()
        eventually(lambda: not processes_mentioning("sleep 20.25"))
        applying = orchestrator.start("apply", orchestrator.order(services={"alpha": {"sleep": 329.5}}), "--yes")
        eventually(lambda: processes_mentioning("sleep 20.25") and processes_mentioning("sleep 329.5"))
        orchestrator("run", "cancel", 2)
        said, _ = applying.communicate(timeout=PATIENCE)
        assert applying.returncode == 1, said
        assert "Run 1 has lost its worker and is finished here first" in said
        assert orchestrator.json("run", "show", 1)["state"] == "succeeded"


class TestAWorkerThatIsGone:
    @pytest.fixture
    def orphaned(self, orchestrator: CommandLine) -> CommandLine:
        """Run 1 is in the middle of a step, and the command that carried it out was killed."""
        order = orchestrator.order(services={"alpha": {"sleep": 328.5}})
        apply = orchestrator.start("apply", order, "--yes")
        eventually(lambda: processes_mentioning("sleep 328.5"))
        assert orchestrator.json("run", "show", 1)["worker_gone"] is False
        apply.kill()
        apply.wait()
        return orchestrator

    def test_is_reported_with_what_happens_next(self, orphaned: CommandLine) -> None:
        shown = orphaned("run", "show", 1).stdout
        assert "Its worker" in shown
        assert "is gone" in shown
        assert "Next: no worker is running: orchestrator run resume 1 continues it" in shown
        assert orphaned.json("run", "show", 1)["worker_gone"] is True
        orphaned.start("worker", ORCHESTRATOR_WORKER__RUNS="1")
        eventually(lambda: orphaned.json("run", "show", 1)["worker_gone"] is False)
        orphaned("run", "cancel", 1)
        eventually(lambda: orphaned.json("run", "show", 1)["state"] == "cancelled")

    def test_leaves_a_run_that_can_be_cancelled(self, orphaned: CommandLine) -> None:
        assert "Run 1 is cancelled" in orphaned("run", "cancel", 1).stdout
        run = orphaned.json("run", "show", 1)
        assert (run["state"], run["next"]) == ("cancelled", None)
        assert {s["state"] for s in run["steps"]} <= {"succeeded", "cancelled", "pending"}
        assert processes_mentioning("sleep 328.5") == []
        orphaned("apply", orphaned.order(services={"alpha": {}}), "--yes")


class TestOffboarding:
    def test_removes_everything_and_gives_the_blocks_back(self, orchestrator: CommandLine) -> None:
        first, second = orchestrator.order("first-agency"), orchestrator.order("second-agency")
        plans = [orchestrator.json("plan", order) for order in (first, second)]
        subnets = [p["allocations"]["subnet"] for p in plans]
        assert len(set(subnets)) == 2, "planned at once, they never share a block"
        for plan in plans:
            orchestrator("apply", plan["plan"])
        run = orchestrator.json("agency", "offboard", "first-agency", "--yes-destroy", "first-agency")
        assert [s["id"] for s in run["steps"]][-1] == "alpha.retire", "what others need goes last"
        left = orchestrator.json("agency", "show", "first-agency")
        assert {s["status"] for s in left["services"]} == {"retired"}
        assert left["allocations"] == {}
        third = orchestrator.json("plan", orchestrator.order("third-agency"))
        assert third["allocations"]["subnet"] == subnets[0]
        again = orchestrator("agency", "offboard", "first-agency", "--yes-destroy", "first-agency")
        assert "Nothing to change" in again.stdout


class TestFollowing:
    def test_continues_after_any_event_without_gap_or_repeat(self, orchestrator: CommandLine) -> None:
        orchestrator("apply", orchestrator.order(services={"alpha": {}}), "--yes")
        lines = orchestrator("run", "follow", 1, "--json").stdout.splitlines()
        events = [json.loads(line) for line in lines]
        assert events[0]["what"] == {"kind": "run_moved", "state": "queued", "attempt": 1, "reason": None}
        assert events[-1]["what"]["state"] == "succeeded"
        middle = len(events) // 2
        rest = orchestrator("run", "follow", 1, "--json", "--after", events[middle]["id"]).stdout.splitlines()
        assert rest == lines[middle + 1 :]
