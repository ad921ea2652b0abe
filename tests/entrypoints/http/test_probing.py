"""Probing as users see it: two servers, of which one probes and is killed, `agency show`, and `probe`."""

import os
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.store import SqlStore
from orchestrator.domain.service_levels.record import State, Timeline
from tests.entrypoints.cli.conftest import CommandLine, eventually
from tests.entrypoints.http.test_serve import answers, free_port, get
from tests.probed import probed_catalog, timelines

pytestmark = pytest.mark.slow

UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN
EVERY = timedelta(seconds=2)


@pytest.fixture
def service() -> Iterator[socket.socket]:
    """Something that accepts connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listening:
        yield listening


@pytest.fixture
def environment(orchestrator: CommandLine, service: socket.socket) -> dict[str, str]:
    """With alpha of one agency in service, whose probe targets that service."""
    probe = f'{{kind: tcp, target: "{{place_address}}:{service.getsockname()[1]}", every: PT2S}}'
    environment = {"ORCHESTRATOR_CATALOG": str(probed_catalog(orchestrator.folder, probe))}
    orchestrator("apply", orchestrator.order(services={"alpha": {}}), "--yes", **environment)
    return environment


def timeline(home: Path) -> Timeline:
    engine = connect(f"sqlite:///{home / 'orchestrator.db'}")
    with SqlStore(engine).read() as tx:
        found = timelines(tx, "test-agency", "alpha").get("tcp", ())
    engine.dispose()
    return found


def test_probing_continues_when_the_server_that_probes_is_killed(
    orchestrator: CommandLine, environment: dict[str, str], service: socket.socket
) -> None:
    first = orchestrator.start("serve", "--port", free_port(), "--no-worker", **environment)
    eventually(lambda: [t.state for t in timeline(orchestrator.home)] == [UP])
    port = free_port()
    second = orchestrator.start("serve", "--port", port, "--no-worker", **environment)
    eventually(lambda: answers(port))
    # On a busy machine, a late reading makes the service unknown until the next.
    eventually(
        lambda: 'orchestrator_service_up{agency="test-agency",component="alpha"} 1.0' in get(port, "/metrics")[2]
    )

    os.killpg(first.pid, signal.SIGKILL)
    killed = datetime.now(UTC)
    shown = eventually(lambda: orchestrator("agency", "show", "test-agency", **environment).stdout)
    eventually(lambda: len(timeline(orchestrator.home)) == 3)
    up, unknown, again = timeline(orchestrator.home)
    assert (up.state, unknown.state, again.state) == (UP, UNKNOWN, UP)
    assert abs(unknown.at - killed) <= 2 * EVERY
    assert "alpha" in shown

    service.close()
    eventually(lambda: [t.state for t in timeline(orchestrator.home)][3:] == [DOWN])
    # It is unknown for a moment whenever the busy machine is late, and down again at the next check.
    eventually(
        lambda: 'orchestrator_service_up{agency="test-agency",component="alpha"} 0.0' in get(port, "/metrics")[2]
    )
    eventually(lambda: "down since" in orchestrator("agency", "show", "test-agency", **environment).stdout)
    second.send_signal(signal.SIGTERM)
    assert second.wait(15) == 0


def test_probe_prints_what_it_found_and_exits_accordingly(
    orchestrator: CommandLine, environment: dict[str, str], service: socket.socket
) -> None:
    done = orchestrator("probe", "test-agency", "alpha", **environment)
    assert "accepts connections" in done.stdout
    service.close()
    assert "Connection refused" in orchestrator("probe", "test-agency", expect=1, **environment).stdout
    said = orchestrator("probe", "test-agency", "beta", expect=4, **environment).stderr
    assert "there is no beta of test-agency to probe" in said
    assert timeline(orchestrator.home) == ()
