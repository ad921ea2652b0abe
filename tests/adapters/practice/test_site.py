"""Boots two real hosts on their own bridge, exposes them to crashes and changes, and checks what is left."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from orchestrator.adapters.practice.commands import PACKAGES
from orchestrator.adapters.practice.site import PracticeSite
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.practice import HostState
from tests.entrypoints.cli.conftest import eventually

Test = TypeVar("Test", bound=Callable[..., Any])

_MISSING = sorted(tool for tool in PACKAGES if shutil.which(tool) is None)

_REAL = [
    pytest.mark.xdist_group("practice-site"),
    pytest.mark.practice,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may boot practice hosts"),
    pytest.mark.skipif(bool(_MISSING), reason=f"this machine has no {', '.join(_MISSING)}"),
]
pytestmark = _REAL


def on_real_hosts(test: Test) -> Test:
    """Mark a test in another file that has the same requirements as those here."""
    for mark in _REAL:
        test = mark(test)
    return test


CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shared-service-orchestrator"
EDGE, SEAT = "10.62.1.11", "10.62.1.31"
BOTH_RUN = {"edge": HostState.RUNNING, "seat": HostState.RUNNING}


@pytest.fixture
def site(inventory: Path, tmp_path: Path) -> Iterator[PracticeSite]:
    """The site, not yet up. What the test leaves is taken down, and nothing may be left."""
    forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    site = PracticeSite(inventory=inventory, home=tmp_path / "home", cache=CACHE)
    yield site
    site.down(print, erase=True)
    assert _left_behind(tmp_path) == []
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == forwarding


def test_a_second_up_changes_nothing_and_repairs_what_was_killed(site: PracticeSite) -> None:
    site.up(print)
    assert _states(site) == BOTH_RUN
    assert _ssh(site, EDGE, "sudo -n id -u; hostname").split() == ["0", "edge"]
    booted = _boot_ids(site)

    site.up(print)
    assert _boot_ids(site) == booted

    _ssh(site, SEAT, "echo kept | sudo tee /srv/kept; echo nameserver 127.0.0.1 | sudo tee /etc/resolv.conf")
    for pid in _processes("seat"):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: _states(site)["seat"] is not HostState.RUNNING)
    site.up(print)
    assert _states(site) == BOTH_RUN
    assert _boot_ids(site)[EDGE] == booted[EDGE], "the host that was well was left alone"
    assert _boot_ids(site)[SEAT] != booted[SEAT]
    assert _ssh(site, SEAT, "cat /srv/kept /etc/resolv.conf").split("\n")[:2] == ["kept", "nameserver 127.0.0.1"]


def test_a_host_can_reboot_itself(site: PracticeSite) -> None:
    site.up(print)
    before = _boot_ids(site)[SEAT]
    _ssh(site, SEAT, "sudo systemd-run --on-active=1 systemctl reboot")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(0.5)
        with suppress(AssertionError):  # it claims to be running, and is shutting down
            if _states(site) == BOTH_RUN and _boot_ids(site)[SEAT] != before:
                return
    pytest.fail("the host did not come back")


def test_hosts_can_do_what_services_need(site: PracticeSite) -> None:
    site.up(print)
    _ssh(
        site,
        EDGE,
        "sudo sh -euc 'ip link add one type bridge; ip netns add apart; test -c /dev/net/tun;"
        " ip link add near type veth peer name far netns apart; ip link set near master one; apt-get -qq update'",
    )


def test_an_up_killed_half_way_is_finished_by_the_next(site: PracticeSite, inventory: Path, tmp_path: Path) -> None:
    for delay in (0.3, 0.7, 1.2):
        _killed("up(print)", delay, inventory, tmp_path)
    site.up(print)
    assert _states(site) == BOTH_RUN


def test_a_host_that_left_the_inventory_is_stopped(site: PracticeSite, inventory: Path, tmp_path: Path) -> None:
    site.up(print)
    hosts = inventory / "hosts.yml"
    hosts.write_text(hosts.read_text().partition("desktops:")[0])
    smaller = PracticeSite(inventory=inventory, home=tmp_path / "home", cache=CACHE)
    smaller.up(print)
    assert _states(smaller) == {"edge": HostState.RUNNING}
    assert _processes("seat") == []


def test_snapshots_bring_back_only_what_was_written_before_them(site: PracticeSite) -> None:
    site.up(print, ["edge"])
    assert _states(site) == {"edge": HostState.RUNNING, "seat": HostState.STOPPED}
    _ssh(site, EDGE, "echo one | sudo tee /srv/one")
    site.snapshot("first", print)
    _ssh(site, EDGE, "echo two | sudo tee /srv/two; sudo rm /srv/one; sudo rm /etc/issue")
    site.snapshot("second", print)
    site.restore("first", print)
    assert _ssh(site, EDGE, "ls /srv /etc/issue").split() == ["/etc/issue", "/srv:", "one"]
    site.restore("second", print, ["edge"])
    assert _ssh(site, EDGE, "ls /srv; ls /etc/issue || true").split() == ["two"]
    assert {host.name: host.snapshots for host in site.status()} == {"edge": ("first", "second"), "seat": ()}
    said: list[str] = []
    site.down(said.append)
    assert said == ["edge: stopped"], "the other was not up"
    for names in ((), ("seat",)):
        with pytest.raises(OrchestratorError, match="third") as caught:
            site.restore("third", print, names)
        assert caught.value.kind is Kind.NOT_FOUND
    with pytest.raises(OrchestratorError, match="no host or group nobody") as caught:
        site.up(print, ["nobody"])
    assert caught.value.hint == "It has: desktops, edge, network_gateways, seat."


def test_a_restore_killed_half_way_is_finished_by_the_next(site: PracticeSite, inventory: Path, tmp_path: Path) -> None:
    site.up(print)
    _ssh(site, EDGE, "echo one | sudo tee /srv/one")
    site.snapshot("first", print)
    for delay in (0.2, 0.5, 0.9, 1.4):
        _killed("restore('first', print)", delay, inventory, tmp_path)
    site.restore("first", print)
    assert _states(site) == BOTH_RUN
    assert _ssh(site, EDGE, "cat /srv/one") == "one\n"


def test_a_unit_that_keeps_crashing_is_detected(site: PracticeSite) -> None:
    site.up(print, ["edge"])
    assert site.unsteady() == ()
    _ssh(
        site,
        EDGE,
        "sudo systemd-run --quiet --unit crashing --property Restart=always --property RestartSec=50ms false;"
        "until [ $(systemctl show --property NRestarts --value crashing) -gt 2 ]; do sleep 0.05; done",
    )
    [found] = site.unsteady()
    assert (found.host, found.unit) == ("edge", "crashing.service")
    assert found.restarts > 2


def test_a_site_without_space_reports_it_and_leaves_nothing(site: PracticeSite, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tests", str(tmp_path / "home")], check=True)
    try:
        with pytest.raises(OrchestratorError) as caught:
            site.up(print)
        assert caught.value.kind in (Kind.UNAVAILABLE, Kind.FAILED)
        assert "space left" in str(caught.value) + " ".join(caught.value.details)
        site.down(print, erase=True)
    finally:
        subprocess.run(["umount", str(tmp_path / "home")], check=True)


def test_a_second_checkout_is_refused_and_learns_whose_site_is_in_the_way(
    site: PracticeSite, inventory: Path, tmp_path: Path
) -> None:
    site.up(print)
    for bridge in ("orch-rehearse", "orch-other"):
        variables = inventory / "group_vars" / "all.yml"
        variables.write_text(variables.read_text().replace("orch-rehearse", bridge))
        other = PracticeSite(inventory=inventory, home=tmp_path / "elsewhere", cache=CACHE)
        with pytest.raises(OrchestratorError) as caught:
            other.up(print)
        assert caught.value.kind is Kind.CONFLICT
        assert caught.value.hint is not None
        assert f"ORCHESTRATOR_HOME={tmp_path / 'home'} " in caught.value.hint
    assert _states(site) == BOTH_RUN


def _killed(call: str, delay: float, inventory: Path, top: Path) -> None:
    """Call it in a process that is killed after some seconds."""
    script = (
        "import sys; from pathlib import Path; from orchestrator.adapters.practice.site import PracticeSite\n"
        f"PracticeSite(inventory=Path(sys.argv[1]), home=Path(sys.argv[2]), cache=Path(sys.argv[3])).{call}"
    )
    command = subprocess.Popen([sys.executable, "-c", script, str(inventory), str(top / "home"), str(CACHE)])
    time.sleep(delay)
    command.kill()
    command.wait()


def _states(site: PracticeSite) -> dict[str, HostState]:
    return {host.name: host.state for host in site.status()}


def _boot_ids(site: PracticeSite) -> dict[str, str]:
    return {address: _ssh(site, address, "cat /proc/sys/kernel/random/boot_id") for address in (EDGE, SEAT)}


def _ssh(site: PracticeSite, address: str, command: str) -> str:
    """Run it as the site's users would: with OpenSSH, the site's key and only its pinned host keys."""
    folder = site.home / "sites" / "rehearsal"
    options = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={folder / 'known_hosts'}", "BatchMode=yes")
    done = subprocess.run(
        [
            "ssh",
            *(f"-o{option}" for option in options),
            "-i",
            str(folder / "id_ed25519"),
            f"provision@{address}",
            command,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _processes(host: str) -> list[int]:
    found = []
    for membership in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            ended = membership.with_name("stat").read_text().rpartition(") ")[2].startswith("Z")
            if not ended and re.search(rf"/orch-rehearse[^/]*/{host}/", membership.read_text()):
                found.append(int(membership.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _left_behind(home: Path) -> list[str]:
    seen = subprocess.run(
        "ip -oneline link; ip netns; nft list tables; ls /run/systemd/nspawn/propagate;"
        " find /sys/fs/cgroup -type d -path '*orch-rehearse*'",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    left = [line for line in seen if "orch-rehearse" in line] + [line for line in mounts if str(home) in line]
    return left + [f"process {pid}" for host in ("edge", "seat") for pid in _processes(host)]
