"""The probe of a service desk, against a stand-in that knows what the probe needs of REST 2.

tests/playbooks/test_probing.py shows that the real desk answers in the same way.
"""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchestrator.domain.service_levels.record import State
from orchestrator.ports.probing import Person
from tests.adapters.probes.conftest import Probe

AGENT = Person("a1.agent1", "s3cret")


class StandIn(ThreadingHTTPServer):
    """A queue of tickets, by number; `stuck` ones keep their status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.tickets: dict[int, dict[str, str]] = {}
        self.asked: list[str] = []
        self.stuck = False

    @property
    def place(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/a1"


class Desk(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if "/tickets?" in self.path:
            self._answer(200, {"items": [{"id": str(number)} for number in self.server.tickets]})
        else:
            self._answer(200, self.server.tickets[int(self.path.rpartition("/")[2])])

    def do_POST(self) -> None:
        self.server.tickets[7] = self._body()
        self._answer(201, {"id": "7"})

    def do_PUT(self) -> None:
        changed = self._body()
        if not self.server.stuck:
            self.server.tickets[int(self.path.rpartition("/")[2])] |= changed
        self._answer(200, ["Status changed"])

    def _body(self) -> dict[str, str]:
        read: dict[str, str] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return read

    def _answer(self, status: int, document: object) -> None:
        self.server.asked.append(f"{self.command} {self.path.partition('?')[0]}")
        expected = base64.b64encode(f"{AGENT.name}:{AGENT.password}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {expected}":
            status, document = 401, {"message": "Unauthorized"}
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def desk() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_probe_opens_one_ticket_and_reuses_it(probe: Probe, desk: StandIn) -> None:
    readings = probe("rt", desk.place, person=AGENT, times=3)
    assert [(r.state, r.detail) for r in readings] == [(State.UP, "ticket 7 opened, read and resolved")] * 3
    assert desk.tickets[7]["Status"] == "resolved"
    assert desk.tickets[7]["Queue"] == "a1"
    assert [asked.split()[0] for asked in desk.asked] == [
        "GET",
        "POST",
        *["PUT", "GET"] * 2,
        *["GET", *["PUT", "GET"] * 2] * 2,
    ]


def test_a_ticket_that_does_not_change_is_down(probe: Probe, desk: StandIn) -> None:
    desk.stuck = True
    [reading] = probe("rt", desk.place, person=AGENT)
    assert (reading.state, reading.detail) == (State.DOWN, "ticket 7 was set to open and is resolved")


def test_a_desk_that_answers_something_else_is_down(probe: Probe, desk: StandIn) -> None:
    desk.tickets[7] = {"message": "I am something else"}
    desk.stuck = True
    [reading] = probe("rt", desk.place, person=AGENT)
    place = desk.place.removesuffix("/a1")
    assert (reading.state, reading.detail) == (State.DOWN, f"{place} does not answer like a desk")


def test_a_desk_that_does_not_let_the_agent_in_is_down(probe: Probe, desk: StandIn) -> None:
    [reading] = probe("rt", desk.place, person=Person(AGENT.name, "wrong"))
    assert (reading.state, reading.detail) == (State.DOWN, "GET tickets answers 401, not 200")
