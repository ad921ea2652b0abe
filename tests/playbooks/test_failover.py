"""A service desk is lost, comes up for its users on a host that stands by, and returns with what was written there."""

from pathlib import Path

import pytest

from tests.playbooks.command import Command
from tests.playbooks.conftest import Steps
from tests.playbooks.desk_use import Seat
from tests.playbooks.grounds import ADDRESSES, PracticeHome
from tests.playbooks.reach import device
from tests.playbooks.test_operators_day import LEFT, states, unplugged, until

AGENCY = "lost-agency"
DESK = "service-desk"
CALL_OFF = """
framework: flex
agency:
  id: lost-agency
  name: Lost Agency
  class: central-government
  seats: 300
  contacts: [{role: service-manager, name: Lou Lost, email: lou@lost.example}]
site: practice
term: {start: 2026-12-01, months: 24}
services:
  network: {tier: standard}
  service-desk: {tier: standard}
  disaster-recovery: {tier: standard}
"""
FIRST, SECOND = f"{ADDRESSES}.21", f"{ADDRESSES}.22"


@pytest.fixture(scope="module")
def command(practice: PracticeHome) -> Command:
    practice.clear()
    practice.boot(["gw1", "desk1", "desk2", "recover1"])
    made = Command(practice)
    made("init")
    return made


@pytest.fixture
def file(practice: PracticeHome) -> Path:
    file = practice.home / "lost.yml"
    file.write_text(CALL_OFF)
    return file


@pytest.fixture(scope="module")
def password(practice: PracticeHome, command: Command) -> str:
    """The password of the agency's first agent, once the desk has been provisioned."""
    file = practice.home / "agent1"
    command("secret", "hand-out", AGENCY, DESK, "agent1", file)
    return file.read_text().splitlines()[1].removeprefix("password: ")


def seat(address: str, password: str) -> Seat:
    return Seat(address, f"{AGENCY}.agent1", password)


def write(there: Seat, subject: str) -> None:
    status, text = there.rest("POST", "ticket", {"Queue": AGENCY, "Subject": subject})
    assert status == 201, text


def finds(there: Seat, subject: str) -> bool:
    status, text = there.rest("GET", f"tickets?query=Subject%3D%27{subject}%27")
    assert status == 200, text
    return '"total":1' in text.replace(" ", "")


class TestALostDesk:
    """From one test to the next."""

    def test_comes_up_on_the_host_that_stands_by_however_often_the_command_is_killed(
        self, command: Command, file: Path, request: pytest.FixtureRequest, steps: Steps
    ) -> None:
        command("apply", file, "--yes")
        assert "never backed up" in command.refused("recovery", "failover", AGENCY, DESK, "--yes")
        password = request.getfixturevalue("password")
        write(seat(FIRST, password), "kept")
        command("backup", "start", AGENCY)
        write(seat(FIRST, password), "too-late")
        with unplugged("desk1"):
            failover = command.start("recovery", "failover", AGENCY, DESK, "--yes")
            until(lambda: failover.poll() is not None or states(command, AGENCY).get(f"{DESK}.restore") == "running")
            failover.kill()
            failover.communicate()
            run = command.json("run", "list", "--agency", AGENCY)["runs"][0]["run"]
            command("run", "resume", run)
            assert finds(seat(SECOND, password), "kept")
            assert not finds(seat(SECOND, password), "too-late")
            self.measured(command.json("run", "show", run)["recovery"], known_by="canaries")
            self.reached_by_name(command, steps, SECOND)
            command("probe", AGENCY, DESK)
            assert "Nothing to change" in command("apply", file, "--yes")
            assert "has failed over already" in command.refused("recovery", "failover", AGENCY, DESK, "--yes")
        write(seat(SECOND, password), "meanwhile")

    def test_is_known_to_have_left_a_copy(self, command: Command) -> None:
        (desk,) = [s for s in command.json("agency", "show", AGENCY)["services"] if s["component"] == DESK]
        assert (desk["hosts"], desk["elsewhere"], desk["status"]) == (["desk2"], ["desk1"], "in_service")
        assert f"recovery failback {AGENCY} {DESK}" in command("agency", "show", AGENCY)
        assert f"{DESK} of {AGENCY}: desk1" in command("doctor", expect=1)

    def test_returns_with_what_was_written_meanwhile(
        self, command: Command, file: Path, password: str, steps: Steps
    ) -> None:
        command("recovery", "failback", AGENCY, DESK, "--yes")
        first = seat(FIRST, password)
        assert [finds(first, subject) for subject in ("kept", "meanwhile", "too-late")] == [True, True, False]
        assert steps.on("desk2", LEFT.replace("day-agency", AGENCY)) == ""
        told = command.json("recovery", "list", "--agency", AGENCY)["moves"][0]
        self.measured(told, known_by="backup")
        assert told["rpo_seconds"] == 0, "nobody could write what would have been lost"
        self.reached_by_name(command, steps, FIRST)
        assert "Nothing to change" in command("apply", file, "--yes")
        command("drift", "check", AGENCY)
        assert "has not failed over" in command.refused("recovery", "failback", AGENCY, DESK, "--yes")

    def test_leaves_nothing_when_its_agency_leaves(self, command: Command, steps: Steps) -> None:
        command("agency", "offboard", AGENCY, "--yes-destroy", AGENCY)
        looked = LEFT.replace("day-agency", AGENCY)
        assert {host: steps.on(host, looked) for host in ("gw1", "desk1", "desk2")} == {
            "gw1": "",
            "desk1": "",
            "desk2": "",
        }

    def measured(self, told: dict[str, object], *, known_by: str) -> None:
        assert told["known_by"] == known_by
        assert told["lost"] == 0
        for name in ("rto", "rpo"):
            took = told[f"{name}_seconds"]
            assert isinstance(took, float)
            assert 0 <= took < told[f"{name}_objective_seconds"]  # type: ignore[operator]

    def reached_by_name(self, command: Command, steps: Steps, address: str) -> None:
        """By a device on the agency's network, which asks the agency's own name server."""
        held = command.json("agency", "show", AGENCY)["allocations"]
        number, subnet = int(held["number"]), held["subnet"]
        walker, name = f"walker{number}", f"{DESK}.{AGENCY}.practice.internal"
        server, asks = subnet.replace(".0/24", ".1"), f"/etc/netns/{walker}"
        steps.on("gw1", f"mkdir -p {asks}; echo nameserver {server} >{asks}/resolv.conf")
        inside = device(steps, AGENCY, number, subnet).enter
        other = FIRST if address == SECOND else SECOND
        try:
            assert address in steps.on("gw1", f"{inside} getent ahostsv4 {name}")
            opened = f"{inside} timeout 5 bash -c 'exec 3<>/dev/tcp/{{}}/443'"
            assert steps.try_on("gw1", opened.format(name)).returncode == 0
            assert steps.try_on("gw1", opened.format(other)).returncode != 0, "nobody is led to another copy"
        finally:
            steps.on("gw1", f"ip netns delete {walker}; rm -r {asks}")


@pytest.mark.long
def test_a_lost_directory_comes_up_where_its_host_stands_by_and_returns(practice: PracticeHome, steps: Steps) -> None:
    """What holds for a desk holds for what keeps its agencies in servers of their own."""
    practice.clear()
    practice.boot(["gw1", "id1", "id2", "recover1"])
    command, file = Command(practice), practice.home / "lost.yml"
    command("init")
    file.write_text(CALL_OFF.replace(f"{DESK}: {{tier: standard}}", "identity: {tier: standard}"))
    command("apply", file, "--yes")
    command("backup", "start", AGENCY)
    with unplugged("id1"):
        command("recovery", "failover", AGENCY, "identity", "--yes")
        command("probe", AGENCY, "identity")
        assert "Nothing to change" in command("apply", file, "--yes")
    command("recovery", "failback", AGENCY, "identity", "--yes")
    command("probe", AGENCY, "identity")
    command("drift", "check", AGENCY)
    assert [move["lost"] for move in command.json("recovery", "list")["moves"]] == [0, 0]
    assert steps.on("id2", LEFT.replace("day-agency", AGENCY)) == ""
    command("agency", "offboard", AGENCY, "--yes-destroy", AGENCY)
    assert {steps.on(host, LEFT.replace("day-agency", AGENCY)) for host in ("gw1", "id1", "id2")} == {""}
