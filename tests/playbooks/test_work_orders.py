"""People's work in a real service desk: tickets are opened, resolved, rejected and withdrawn, and the run goes on."""

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.keys.secret_box import SecretBox
from orchestrator.domain.runs.assignment import password_of
from tests.playbooks.command import Command
from tests.playbooks.desk_use import Seat
from tests.playbooks.grounds import PracticeHome

AGENCY = "work-agency"
WAITS = 7
CALL_OFF = """
framework: flex
agency:
  id: work-agency
  name: Work Agency
  class: central-government
  seats: 30
  contacts: [{role: service-manager, name: Wilma Work, email: wilma@work.example}]
site: practice
term: {start: 2026-12-01, months: 24}
services:
  network: {tier: standard}
  service-desk: {tier: standard}
"""
TRAINING = "  business-change: {tier: standard, quantity: 30}\n"


@pytest.fixture(scope="module")
def command(practice: PracticeHome) -> Command:
    practice.clear()
    practice.boot(["gw1", "desk1"])
    made = Command(practice)
    made("init")
    (practice.home / "work.yml").write_text(CALL_OFF + TRAINING)
    (practice.home / "without.yml").write_text(CALL_OFF)
    return made


@pytest.fixture
def file(practice: PracticeHome) -> Path:
    return practice.home / "work.yml"


@pytest.fixture(scope="module")
def said(command: Command, practice: PracticeHome) -> str:
    """What applying the call-off says."""
    return command("apply", practice.home / "work.yml", "--yes", expect=WAITS)


@pytest.fixture(scope="module")
def agent(said: str, command: Command, practice: PracticeHome) -> Seat:
    """The second agent; the first is the orchestrator's way to the desk."""
    assert said
    services = command.json("agency", "show", AGENCY)["services"]
    [address] = [e["address"] for s in services if s["component"] == "service-desk" for e in s["endpoints"]]
    with sqlite3.connect(practice.home / "orchestrator.db") as connection:
        query = "select token from secret where agency = ? and name = 'agents_password'"
        [(token,)] = connection.execute(query, [AGENCY])
    password = password_of("agent2", SecretBox(practice.home / "secret.key").open(token))
    return Seat(address.removeprefix("https://").strip("/"), f"{AGENCY}.agent2", password)


def ticket(agent: Seat, number: str) -> Any:
    return json.loads(agent.rest("GET", f"ticket/{number}")[1])


def set_status(agent: Seat, number: str, status: str, comment: str | None = None) -> None:
    if comment:
        said = {"Content": comment, "ContentType": "text/plain"}
        assert agent.rest("POST", f"ticket/{number}/comment", said)[0] == 201
    assert agent.rest("PUT", f"ticket/{number}", {"Status": status})[0] == 200


def orders(command: Command) -> list[Any]:
    found: list[Any] = command.json("work", "list", "--agency", AGENCY)["work_orders"]
    return found


def newest(command: Command) -> Any:
    """The newest run that changes the agency."""
    runs = command.json("run", "list", "--agency", AGENCY)["runs"]
    return command.json("run", "show", next(run["run"] for run in runs if run["kind"] not in ("verify", "drift")))


class TestWorkOfPeople:
    """In this order: an onboarding that waits, is refused, goes on and is accepted; and an offboarding."""

    def test_is_a_ticket_of_the_agencys_desk(self, command: Command, said: str, agent: Seat) -> None:
        [order] = orders(command)
        assert (order["step"], order["jeopardy"]) == ("business-change.provision", "on_time")
        told = ticket(agent, order["ticket"])
        assert told["Subject"] == f"Work order {order['run']} business-change.provision: {order['title']}"
        assert told["Due"].replace("T", " ").startswith(order["due_at"].replace("T", " ")[:16])
        parts = json.loads(agent.rest("GET", f"ticket/{order['ticket']}/attachments")[1])["items"]
        text = base64.b64decode(json.loads(agent.rest("GET", f"attachment/{parts[0]['id']}")[1])["Content"]).decode()
        assert "Quantity: 30\nplace: on-site\n" in text
        assert "[ ] Everybody on the agency's list has been trained, or has declined in writing." in text
        assert newest(command)["waits_for"].startswith(f"for people: ticket {order['ticket']}, due ")
        assert "◷  business-change.provision  people" in said
        assert newest(command)["state"] == "waiting"

    def test_leaves_verification_and_drift_checks_of_the_agency_as_they_are(self, command: Command) -> None:
        command("agency", "verify", AGENCY)
        command("drift", "check", AGENCY)
        assert [run["state"] for run in command.json("run", "list", "--agency", AGENCY)["runs"]] == [
            "succeeded",
            "succeeded",
            "waiting",
        ]

    def test_keeps_the_agency_from_being_changed(self, command: Command, file: Path) -> None:
        command("apply", file.with_name("without.yml"), "--yes", expect=5)
        assert len(orders(command)) == 1

    def test_that_is_rejected_fails_its_step_with_the_last_comment(self, command: Command, agent: Seat) -> None:
        [order] = orders(command)
        set_status(agent, order["ticket"], "rejected", "Nobody is there\nin August; $(id) {{ 7*7 }}")
        command("work", "check", expect=1)
        run = newest(command)
        assert run["state"] == "failed"
        [error] = [step["error"] for step in run["steps"] if step["error"]]
        assert f"ticket {order['ticket']} was rejected: Nobody is there in August; $(id) {{{{ 7*7 }}}}" in error

    def test_is_taken_up_again_when_the_run_is_resumed(self, command: Command, agent: Seat) -> None:
        command("run", "resume", newest(command)["run"], expect=WAITS)
        [order] = orders(command)
        assert ticket(agent, order["ticket"])["Status"] == "open"

    def test_goes_on_with_its_acceptance_when_it_is_resolved(self, command: Command, agent: Seat) -> None:
        [order] = orders(command)
        set_status(agent, order["ticket"], "resolved")
        command("work", "check")
        [order] = orders(command)
        assert order["step"] == "business-change.verify"
        set_status(agent, order["ticket"], "resolved")
        command("run", "resume", newest(command)["run"])
        run = newest(command)
        assert run["state"] == "succeeded"
        services = command.json("agency", "show", AGENCY)["services"]
        assert {service["status"] for service in services} == {"in_service"}

    def test_is_no_incident(self, command: Command, practice: PracticeHome) -> None:
        with sqlite3.connect(practice.home / "orchestrator.db") as connection:
            assert connection.execute("select count(*) from incident").fetchone() == (0,)

    def test_is_withdrawn_when_its_run_is_cancelled(self, command: Command, file: Path, agent: Seat) -> None:
        command("apply", file.with_name("without.yml"), "--yes", expect=WAITS)
        [order] = orders(command)
        assert order["step"] == "business-change.retire"
        command("run", "cancel", order["run"])
        assert orders(command) == []
        command("work", "check")
        assert ticket(agent, order["ticket"])["Status"] == "rejected"

    def test_comes_before_the_desk_leaves(self, command: Command, agent: Seat) -> None:
        command("agency", "offboard", AGENCY, "--yes", "--yes-destroy", AGENCY, expect=WAITS)
        [order] = orders(command)
        assert {s["id"]: s["state"] for s in newest(command)["steps"]}["service-desk.retire"] == "pending"
        set_status(agent, order["ticket"], "resolved")
        command("work", "check")
        assert newest(command)["state"] == "succeeded"
