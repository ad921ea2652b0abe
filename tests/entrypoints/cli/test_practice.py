"""What `orchestrator practice` says; the hosts themselves are in tests/adapters/practice."""

import pytest

from orchestrator import bootstrap
from orchestrator.domain.estate.practice import HostState, PracticeHost, UnsteadyUnit
from tests.entrypoints.cli.conftest import InProcess


class StandIn:
    """A site that notes what it is asked and boots nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.found: tuple[UnsteadyUnit, ...] = ()

    def up(self, progress: object, names: object) -> None:
        self.asked.append(("up", *names))  # type: ignore[misc]

    def snapshot(self, name: str, progress: object, names: object) -> None:
        self.asked.append(("snapshot", name, *names))  # type: ignore[misc]

    def restore(self, name: str, progress: object, names: object) -> None:
        self.asked.append(("restore", name, *names))  # type: ignore[misc]

    def unsteady(self) -> tuple[UnsteadyUnit, ...]:
        return self.found

    def status(self) -> tuple[PracticeHost, ...]:
        hosts = PracticeHost("gw1", "10.63.0.11", ("network_gateways",), HostState.RUNNING, ("onboarded",))
        return (hosts, PracticeHost("pc1", "10.63.0.31", ("desktops",), HostState.STOPPED))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn()
    monkeypatch.setattr(bootstrap, "practice_site", lambda settings: made)
    return made


def test_hosts_and_groups_are_passed_on(swift: InProcess, site: StandIn) -> None:
    swift("practice", "up")
    swift("practice", "up", "gw1", "desktops")
    swift("practice", "snapshot", "onboarded")
    swift("practice", "restore", "onboarded", "gw1")
    assert site.asked == [
        ("up",), ("up", "gw1", "desktops"), ("snapshot", "onboarded"), ("restore", "onboarded", "gw1"),
    ]  # fmt: skip


def test_status_names_the_snapshots(swift: InProcess, site: StandIn) -> None:
    assert "snapshots: onboarded" in swift("practice", "status").stdout
    hosts = swift.json("practice", "status")["hosts"]
    assert [host["snapshots"] for host in hosts] == [["onboarded"], []]


def test_check_fails_when_a_unit_does_not_keep_running(swift: InProcess, site: StandIn) -> None:
    assert "No unit failed" in swift("practice", "check").stdout
    site.found = (UnsteadyUnit("desk1", "rt5-fcgi.service", "activating", 198),)
    assert "rt5-fcgi.service" in swift("practice", "check", expect=1).stdout
    assert "restarted 198 times" in swift("practice", "check", expect=1).stdout
