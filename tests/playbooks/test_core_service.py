"""A walk by the command line: one agency with the core shared service, and another whose staff people train.

They are onboarded at once, kept apart, changed, repaired, backed up, rehearsed, failed over, returned and offboarded.
"""

import base64
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
import pytest

from tests.conftest import ROOT
from tests.playbooks import reach
from tests.playbooks.command import Command
from tests.playbooks.conftest import Steps
from tests.playbooks.desk_use import Seat
from tests.playbooks.grounds import ADDRESSES, PracticeHome, unplugged
from tests.playbooks.leftovers import left

WHOLE, TRAINED = "cabinet-office", "home-office"
DESK, TRAINING = "service-desk", "business-change"
WAITS = 7
FIRST, SECOND = f"{ADDRESSES}.21", f"{ADDRESSES}.22"
REHEARSED = {
    DESK: "pass", "identity": "pass", "desktop": "pass", "laptop": "pass",
    "data-centre": "pass_with_findings", "network": "pass_with_findings",
}  # fmt: skip
"""What is backed up, and how its drill ends: where nobody can write canaries, it is a finding."""


@pytest.fixture(scope="module")
def command(practice: PracticeHome) -> Command:
    practice.clear()
    practice.boot_all()
    made = Command(practice)
    made("init")
    return made


@pytest.fixture(scope="module")
def files(practice: PracticeHome) -> Mapping[str, Path]:
    """The call-offs, which tests change."""
    copies = {agency: practice.home / f"{agency}.yml" for agency in (WHOLE, TRAINED)}
    for copy in copies.values():
        copy.write_text((ROOT / "examples" / copy.name).read_text())
    return copies


@pytest.fixture(scope="module")
def said(command: Command, files: Mapping[str, Path]) -> str:
    """What onboarding the second agency said, beside the first. Both commands are killed, and their runs taken up."""
    doomed = [command.start("apply", file, "--yes") for file in files.values()]
    command.wait_for(doomed[0], WHOLE, "desktop.provision", "running")
    for process in doomed:
        process.kill()
        process.communicate()
    trained = command.start("run", "resume", newest(command, TRAINED)["run"])
    command("apply", files[WHOLE], "--yes")
    said, errors = trained.communicate(timeout=1800)
    assert trained.returncode == WAITS, said + errors
    return said


@pytest.fixture(scope="module")
def held(said: str, command: Command) -> Mapping[str, Mapping[str, str]]:
    """agency -> its allocations."""
    return {agency: view(command, agency)["allocations"] for agency in (WHOLE, TRAINED)}


@pytest.fixture(scope="module")
def agent(said: str, command: Command) -> Seat:
    """The second agent of the agency whose staff are trained; the first is the orchestrator's way to the desk."""
    return Seat(FIRST, f"{TRAINED}.agent2", command.hand_out(TRAINED, DESK, "agent2"))


@pytest.fixture(scope="module")
def password(said: str, command: Command) -> str:
    """Of the first agent of the other."""
    return command.hand_out(WHOLE, DESK, "agent1")


def view(command: Command, agency: str) -> Any:
    return command.json("agency", "show", agency)


def statuses(command: Command, agency: str) -> set[str]:
    return {service["status"] for service in view(command, agency)["services"]}


def replaced(file: Path, before: str, after: str) -> Path:
    """A call-off in which something was changed."""
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    return file


def newest(command: Command, agency: str) -> Any:
    """The newest run that changes the agency."""
    runs = command.json("run", "list", "--agency", agency)["runs"]
    return command.json("run", "show", next(run["run"] for run in runs if run["kind"] not in ("verify", "drift")))


class TestOnboarded:
    """At once, and used."""

    def test_killed_commands_are_called_again(self, said: str, command: Command) -> None:
        [run] = command.json("run", "list", "--agency", WHOLE)["runs"]
        assert run["state"] == "succeeded", "it is the same run"
        attempts = {s["id"]: s["attempt"] for s in command.json("run", "show", run["run"])["steps"]}
        assert (attempts["desktop.precheck"], attempts["desktop.provision"]) == (1, 2)
        assert statuses(command, WHOLE) == {"in_service"}

    def test_no_unit_failed_or_keeps_being_restarted(self, said: str, command: Command) -> None:
        assert command.json("practice", "check") == {"units": []}

    @pytest.mark.attack
    def test_agencies_reach_what_is_declared_and_nothing_else(self, said: str, command: Command, steps: Steps) -> None:
        """Every port that anything listens on is tried from everywhere."""
        differences = reach.differences(steps, {agency: view(command, agency) for agency in (WHOLE, TRAINED)})
        assert not differences, "\n".join(differences)

    def test_agencies_share_no_block(self, held: Mapping[str, Mapping[str, str]]) -> None:
        for name in ("number", "subnet", "vpn_port"):
            assert len({blocks[name] for blocks in held.values()}) == 2

    def test_nothing_is_left_to_change(self, said: str, command: Command, files: Mapping[str, Path]) -> None:
        command("plan", files[WHOLE], "--detailed-exitcode", expect=0)
        assert "Nothing to change" in command("apply", files[WHOLE], "--yes")

    def test_people_log_in_with_the_password_made_for_them_until_it_is_replaced(
        self, said: str, command: Command, practice: PracticeHome
    ) -> None:
        """To their own desktop, over ssh, against the pinned host key."""
        before = command.hand_out(WHOLE, "desktop", "user1")
        assert "agency-cabinet-office" in groups(practice, before)
        told = command("secret", "rotate", WHOLE, "identity", "people_password", "--yes")
        after = command.hand_out(WHOLE, "desktop", "user1")
        assert "agency-cabinet-office" in groups(practice, after)
        assert not [password for password in (before, after) if password in told]
        with pytest.raises(paramiko.AuthenticationException):
            groups(practice, before)

    def test_more_people_change_the_contract_alone(
        self, said: str, command: Command, files: Mapping[str, Path]
    ) -> None:
        file = replaced(files[WHOLE], "seats: 2500", "seats: 2520")
        assert command.json("plan", file)["steps"] == []
        assert "2520" in command("plan", file)
        command("apply", file, "--yes")
        assert "Nothing to change" in command("apply", file, "--yes")


def groups(practice: PracticeHome, password: str) -> list[str]:
    """What a user of desktops is a member of, where they log in with a password."""
    with paramiko.SSHClient() as client:
        client.load_host_keys(str(practice.home / "sites" / "practice" / "known_hosts"))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(f"{ADDRESSES}.31", username="user1", password=password, look_for_keys=False, allow_agent=False)
        _, output, _ = client.exec_command("id -Gn")
        return output.read().decode().split()


@pytest.fixture
def without(files: Mapping[str, Path]) -> Path:
    """The call-off without people's work."""
    file = files[TRAINED].with_name("without.yml")
    file.write_text("".join(files[TRAINED].read_text().splitlines(keepends=True)[:-1]))
    return file


class TestWorkOfPeople:
    """Tickets of the desk are opened, rejected, resolved and withdrawn, and the run goes on."""

    def test_is_a_ticket_of_the_agencys_desk(self, command: Command, said: str, agent: Seat) -> None:
        [order] = orders(command)
        assert (order["step"], order["jeopardy"]) == (f"{TRAINING}.provision", "on_time")
        told = agent.ticket(order["ticket"])
        assert told["Subject"] == f"Work order {order['run']} {TRAINING}.provision: {order['title']}"
        assert told["Due"].replace("T", " ").startswith(order["due_at"].replace("T", " ")[:16])
        parts = json.loads(agent.rest("GET", f"ticket/{order['ticket']}/attachments")[1])["items"]
        text = base64.b64decode(json.loads(agent.rest("GET", f"attachment/{parts[0]['id']}")[1])["Content"]).decode()
        assert "Quantity: 300\nplace: remote\n" in text
        assert "[ ] Everybody on the agency's list has been trained, or has declined in writing." in text
        run = newest(command, TRAINED)
        assert (run["state"], run["waits_for"][:26]) == ("waiting", f"for people: ticket {order['ticket']}, due "[:26])
        assert f"◷  {TRAINING}.provision  people" in said

    def test_leaves_verification_and_drift_checks_of_the_agency_as_they_are(self, said: str, command: Command) -> None:
        command("agency", "verify", TRAINED)
        command("drift", "check", TRAINED)
        runs = command.json("run", "list", "--agency", TRAINED)["runs"]
        assert [run["state"] for run in runs] == ["succeeded", "succeeded", "waiting"]

    def test_keeps_the_agency_from_being_changed(self, said: str, command: Command, without: Path) -> None:
        command("apply", without, "--yes", expect=5)
        assert len(orders(command)) == 1

    def test_that_is_rejected_fails_its_step_with_the_last_comment(self, command: Command, agent: Seat) -> None:
        [order] = orders(command)
        agent.set_status(order["ticket"], "rejected", "Nobody is there\nin August; $(id) {{ 7*7 }}")
        command("work", "check", expect=1)
        run = newest(command, TRAINED)
        assert run["state"] == "failed"
        [error] = [step["error"] for step in run["steps"] if step["error"]]
        assert f"ticket {order['ticket']} was rejected: Nobody is there in August; $(id) {{{{ 7*7 }}}}" in error

    def test_is_taken_up_again_when_the_run_is_resumed(self, command: Command, agent: Seat) -> None:
        command("run", "resume", newest(command, TRAINED)["run"], expect=WAITS)
        [order] = orders(command)
        assert agent.ticket(order["ticket"])["Status"] == "open"

    def test_goes_on_with_its_acceptance_when_it_is_resolved(self, command: Command, agent: Seat) -> None:
        [order] = orders(command)
        agent.set_status(order["ticket"], "resolved")
        command("work", "check")
        [order] = orders(command)
        assert order["step"] == f"{TRAINING}.verify"
        agent.set_status(order["ticket"], "resolved")
        command("run", "resume", newest(command, TRAINED)["run"])
        assert newest(command, TRAINED)["state"] == "succeeded"
        assert statuses(command, TRAINED) == {"in_service"}

    def test_is_no_incident(self, said: str, practice: PracticeHome) -> None:
        with sqlite3.connect(practice.home / "orchestrator.db") as connection:
            assert connection.execute("select count(*) from incident").fetchone() == (0,)


def orders(command: Command) -> list[Any]:
    found: list[Any] = command.json("work", "list", "--agency", TRAINED)["work_orders"]
    return found


def test_changes_by_hand_are_detected_line_by_line_and_repaired(
    said: str, command: Command, files: Mapping[str, Path], held: Mapping[str, Mapping[str, str]], steps: Steps
) -> None:
    number, by_hand, file = held[TRAINED]["number"], "# by hand", f"/etc/agency-network/{TRAINED}/dnsmasq.conf"
    rules = f"nft list chain inet agency{number} leaving"
    before = steps.on("gw1", rules)
    steps.on("gw1", f"echo '{by_hand}' >> {file}; nft flush chain inet agency{number} leaving")
    told = command("drift", "check", TRAINED, expect=1)
    assert f"table agency{number} in force" in told or "firewall.nft" in told
    assert re.search(r"^\s+\+.*ip daddr @private drop$", told, re.MULTILINE), told
    views = json.loads(command("drift", "check", TRAINED, "--json", expect=1))["drift"]
    assert {view["component"]: bool(view["changed"]) for view in views} == {"network": True, DESK: False}
    assert {task["host"] for view in views for task in view["tasks"]} == {"gw1"}
    assert by_hand in steps.on("gw1", f"cat {file}"), "looking changes nothing"
    command("apply", files[TRAINED], "--yes")
    assert by_hand not in steps.on("gw1", f"cat {file}")
    assert steps.on("gw1", rules) == before


class TestRehearsed:
    """Backed up, and brought back in a bubble."""

    def test_nothing_fails_over_that_was_never_backed_up(self, said: str, command: Command) -> None:
        assert "never backed up" in command.refused("recovery", "failover", WHOLE, DESK, "--yes")

    def test_a_waiting_run_can_be_cancelled(self, said: str, command: Command) -> None:
        run = command.json("backup", "start", WHOLE, "--no-follow")["run"]
        command("run", "cancel", run)
        assert command.json("run", "show", run)["state"] == "cancelled"

    @pytest.fixture(scope="class")
    def backed_up(self, password: str, command: Command) -> None:
        """With one ticket before, and one after."""
        desk = Seat(FIRST, f"{WHOLE}.agent1", password)
        desk.write(WHOLE, "kept")
        command("backup", "start", WHOLE)
        desk.write(WHOLE, "too-late")

    @pytest.mark.usefixtures("backed_up")
    @pytest.mark.parametrize(("component", "verdict"), REHEARSED.items())
    def test_a_drill_shows_that_each_service_comes_back(self, command: Command, component: str, verdict: str) -> None:
        command("drill", "start", WHOLE, component)
        drill = command.json("drill", "list", "--agency", WHOLE)["drills"][0]
        assert (drill["component"], drill["verdict"]) == (component, verdict), drill["reason"]
        shown = command.json("drill", "show", drill["drill"])
        assert shown["cleanup"]["leftovers"] == []

    @pytest.mark.usefixtures("backed_up")
    def test_a_drill_whose_recovery_host_is_unplugged_ends_and_blames_nobody(self, command: Command) -> None:
        drill = command.start("drill", "start", WHOLE, "network")
        command.wait_for(drill, WHOLE, "network.prepare", "succeeded")
        with unplugged("recover1"):
            drill.communicate(timeout=600)
        told = command.json("drill", "list", "--agency", WHOLE)["drills"][0]
        assert (told["verdict"], drill.returncode) == ("inconclusive", 1)


class TestALostDesk:
    """From one test to the next."""

    def test_comes_up_on_the_host_that_stands_by_however_often_the_command_is_killed(
        self, command: Command, files: Mapping[str, Path], password: str, steps: Steps
    ) -> None:
        desk = Seat(SECOND, f"{WHOLE}.agent1", password)
        with unplugged("desk1"):
            command.kill(command.start("recovery", "failover", WHOLE, DESK, "--yes"), WHOLE, f"{DESK}.restore")
            run = command.json("run", "list", "--agency", WHOLE)["runs"][0]["run"]
            command("run", "resume", run)
            assert (desk.finds("kept"), desk.finds("too-late")) == (True, False)
            measured(command.json("run", "show", run)["recovery"], known_by="canaries")
            reached_by_name(command, steps, SECOND)
            command("probe", WHOLE, DESK)
            assert "Nothing to change" in command("apply", files[WHOLE], "--yes")
            assert "has failed over already" in command.refused("recovery", "failover", WHOLE, DESK, "--yes")
            self.is_unreachable(
                command, replaced(files[TRAINED], f"{DESK}: {{tier: standard}}", f"{DESK}: {{tier: premium}}")
            )
        desk.write(WHOLE, "meanwhile")

    def is_unreachable(self, command: Command, changed: Path) -> None:
        """For the other agency, whose desk alone is to change. Nothing of it is touched."""
        plan = command.json("plan", changed)
        effects = {change["component"]: change["effect"] for change in plan["changes"]}
        assert effects == {"network": "none", DESK: "update", TRAINING: "none"}
        command("apply", changed, "--yes", expect=75)
        states = command.states(TRAINED)
        assert (states[f"{DESK}.precheck"], states[f"{DESK}.provision"]) == ("unreachable", "pending")

    def test_is_changed_for_others_once_it_answers(self, command: Command) -> None:
        run = newest(command, TRAINED)["run"]
        command("run", "resume", run)
        assert command.json("run", "show", run)["state"] == "succeeded"

    def test_is_known_to_have_left_a_copy(self, command: Command) -> None:
        (desk,) = [s for s in view(command, WHOLE)["services"] if s["component"] == DESK]
        assert (desk["hosts"], desk["elsewhere"], desk["status"]) == (["desk2"], ["desk1"], "in_service")
        assert f"recovery failback {WHOLE} {DESK}" in command("agency", "show", WHOLE)
        assert f"{DESK} of {WHOLE}: desk1" in command("doctor", expect=1)

    def test_returns_with_what_was_written_meanwhile(
        self,
        command: Command,
        files: Mapping[str, Path],
        password: str,
        held: Mapping[str, Mapping[str, str]],
        steps: Steps,
    ) -> None:
        command("recovery", "failback", WHOLE, DESK, "--yes")
        desk = Seat(FIRST, f"{WHOLE}.agent1", password)
        assert [desk.finds(subject) for subject in ("kept", "meanwhile", "too-late")] == [True, True, False]
        assert left(steps, WHOLE, held[WHOLE]["number"], ["desk2"]) == {}
        told = command.json("recovery", "list", "--agency", WHOLE)["moves"][0]
        measured(told, known_by="backup")
        assert told["rpo_seconds"] == 0, "nobody could write what would have been lost"
        reached_by_name(command, steps, FIRST)
        assert "Nothing to change" in command("apply", files[WHOLE], "--yes")
        assert "has not failed over" in command.refused("recovery", "failback", WHOLE, DESK, "--yes")

    def test_leaves_everything_as_it_was_ordered_and_at_work(self, said: str, command: Command) -> None:
        command("drift", "check", WHOLE)
        command("agency", "verify", WHOLE)


def measured(told: Mapping[str, Any], *, known_by: str) -> None:
    """What a failover or a return took and lost, within what was promised."""
    assert (told["known_by"], told["lost"]) == (known_by, 0)
    for name in ("rto", "rpo"):
        assert 0 <= told[f"{name}_seconds"] < told[f"{name}_objective_seconds"]


def reached_by_name(command: Command, steps: Steps, address: str) -> None:
    """By a device on the agency's network, which asks the agency's own name server."""
    name, other = f"{DESK}.{WHOLE}.practice.internal", FIRST if address == SECOND else SECOND
    with inside(command, steps) as enter:
        assert address in steps.on("gw1", f"{enter} getent ahostsv4 {name}")
        opened = f"{enter} timeout 5 bash -c 'exec 3<>/dev/tcp/{{}}/443'"
        assert steps.try_on("gw1", opened.format(name)).returncode == 0
        assert steps.try_on("gw1", opened.format(other)).returncode != 0, "nobody is led to another copy"


@contextmanager
def inside(command: Command, steps: Steps) -> Iterator[str]:
    """What to put before a command to be a device on the agency's network."""
    blocks = view(command, WHOLE)["allocations"]
    walker, server = f"walker{blocks['number']}", blocks["subnet"].replace(".0/24", ".1")
    steps.on("gw1", f"mkdir -p /etc/netns/{walker}; echo nameserver {server} >/etc/netns/{walker}/resolv.conf")
    try:
        yield reach.device(steps, WHOLE, int(blocks["number"]), blocks["subnet"]).enter
    finally:
        steps.on("gw1", f"ip netns delete {walker}; rm -r /etc/netns/{walker}")


class TestOffboarded:
    """One after the other."""

    def test_work_is_withdrawn_when_its_run_is_cancelled(self, command: Command, without: Path, agent: Seat) -> None:
        command("apply", without, "--yes", expect=WAITS)
        [order] = orders(command)
        assert order["step"] == f"{TRAINING}.retire"
        command("run", "cancel", order["run"])
        assert orders(command) == []
        command("work", "check")
        assert agent.ticket(order["ticket"])["Status"] == "rejected"

    def test_people_come_before_the_desk_leaves_and_the_other_agency_works_on(
        self, command: Command, agent: Seat, held: Mapping[str, Mapping[str, str]], steps: Steps
    ) -> None:
        command("agency", "offboard", TRAINED, "--yes", "--yes-destroy", TRAINED, expect=WAITS)
        [order] = orders(command)
        assert {s["id"]: s["state"] for s in newest(command, TRAINED)["steps"]}[f"{DESK}.retire"] == "pending"
        agent.set_status(order["ticket"], "resolved")
        command("work", "check")
        self.has_left(command, TRAINED)
        assert left(steps, TRAINED, held[TRAINED]["number"], ["gw1", "desk1"]) == {}
        command("probe", WHOLE)

    def test_nothing_is_left_anywhere(
        self, command: Command, practice: PracticeHome, held: Mapping[str, Mapping[str, str]], steps: Steps
    ) -> None:
        command("agency", "offboard", WHOLE, "--yes-destroy", WHOLE)
        found = left(steps, WHOLE, held[WHOLE]["number"], steps.site.hosts)
        backups = found.pop("recover1")
        assert found == {}
        assert all("recover" in line for line in backups), "its backups are held"
        command("backup", "destroy", WHOLE, "--early", "the tests are over", "--yes")
        self.has_left(command, WHOLE)
        assert left(steps, WHOLE, held[WHOLE]["number"], ["recover1"]) == {}
        assert command.json("practice", "check") == {"units": []}

    def has_left(self, command: Command, agency: str) -> None:
        assert statuses(command, agency) == {"retired"}
        assert view(command, agency)["allocations"] == {}
