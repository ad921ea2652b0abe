"""Rehearsals on a real recovery host: a restored copy works in its bubble, nothing leaves it, and nothing remains."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.domain.estate.allocation import values
from orchestrator.domain.estate.site import Placement
from orchestrator.domain.runs.assignment import addresses, passwords
from tests.playbooks.conftest import ALPHA, secrets_of
from tests.playbooks.recovery.conftest import PLACEMENTS, Drills

REAPED_WITHIN = 300.0
"""Seconds: a lease of 3, the reaper's 15, and a machine that may be busy with anything."""


AT: Placement = {"desk": ("desk1",), "directory": ("id1",)}
"""Where a user finds a component that is placed nowhere else."""


class Conversation:
    """A component's user program on the recovery host."""

    def __init__(self, drills: Drills, component: str, address: str, authority: str | None = None) -> None:
        program = f"/usr/local/lib/recovery/users/{component}.py"
        command = [*drills.command("status")[:-4], program]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        found = drills.steps.source.catalog().components[component]
        parameters, secrets = found.resolve("standard", {}), secrets_of(ALPHA, component, drills.steps.source)
        told = {
            "agency": {"id": ALPHA.id, "domain": f"{ALPHA.id}.practice.internal"},
            "parameters": parameters,
            "secrets": {**secrets, **passwords(found, parameters, secrets)},
            "hosts": addresses(PLACEMENTS.get(component, AT), drills.steps.site),
            "allocation": values(ALPHA.allocations()),
        }
        assert self.ask(address=address, authority=authority, **told) == {"ok": True}

    def ask(self, **question: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        return json.loads(self.process.stdout.readline())

    def until_it_works(self) -> Any:
        for _ in range(150):
            if (told := self.ask(op="probe"))["ok"]:
                return told
            time.sleep(0.2)
        raise AssertionError(told)

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=10)


def _authority(drills: Drills) -> str:
    return drills.steps.on("desk1", "cat /etc/service-desk/tls/ca.pem")


def _vouching(drills: Drills, number: int, component: str) -> str | None:
    """Who vouches for what was restored, read from it once it is there; None for one that nobody vouches for."""
    trust = drills.steps.source.catalog().components[component].recovery.trust
    if trust is None:
        return None
    file = f"/var/lib/recovery/drills/{number}/root{trust.file_of(ALPHA.id)}"
    drills.steps.on("recover1", f"timeout 120 sh -c 'until test -s {file}; do sleep 0.2; done'")
    return str(drills.ask("read", drill=number, file=trust.file_of(ALPHA.id))["content"])


@pytest.fixture(autouse=True)
def _no_drill_stays(drills: Drills) -> Iterator[None]:
    """What a test that failed has left does not fail the others."""
    yield
    for one in drills.ask("status")["drills"]:
        drills.ask("cleanup", drill=one["drill"])


@pytest.mark.parametrize(
    ("number", "component"),
    [(1, "service-desk"), (2, "desktop"), (3, "network"), (5, "data-centre"), (6, "identity"), (7, "laptop")],
)
def test_the_restored_copy_works_and_equals_what_was_backed_up(drills: Drills, number: int, component: str) -> None:
    address = drills.restore(number, component)
    assert drills.ask("start", drill=number, lease_seconds=300)["unit"] == f"drill-{number}.service"
    with Conversation(drills, component, address, _vouching(drills, number, component)) as user:
        user.until_it_works()
        if user.ask(op="describe")["canary"]:
            for count in range(3):
                assert user.ask(op="write", number=count, text=f"canary {count} abc") == {"ok": True}
            for first in range(3):
                kept = [f"canary {count} abc" for count in range(first, 3)]
                assert user.ask(op="read", first=first) == {"ok": True, "records": kept}
        assert not user.ask(op="dance")["ok"]
    told = drills.ask("check", drill=number, password=drills.access(component)["password"])
    assert {name: part["passed"] for name, part in told.items()} == dict.fromkeys(
        ("backup_tool", "engine", "manifest", "invariants"), True
    ), told
    assert drills.ask("cleanup", drill=number)["leftovers"] == []
    assert drills.ask("cleanup", drill=number) == {"removed": [], "leftovers": []}
    assert drills.ask("status") == {"drills": [], "leftovers": []}


def test_a_canary_written_to_the_live_desk_is_in_its_backup(drills: Drills) -> None:
    live = drills.steps.site.hosts["desk1"].address
    with Conversation(drills, "service-desk", live, _authority(drills)) as user:
        assert user.ask(op="write", number=7, text="canary 7 live") == {"ok": True}
    drills.steps.succeed("service-desk", "backup")
    address = drills.restore(4, "service-desk")
    drills.ask("start", drill=4, lease_seconds=300)
    with Conversation(drills, "service-desk", address, _authority(drills)) as user:
        user.until_it_works()
        assert user.ask(op="read", first=1)["records"] == ["canary 7 live"]
    drills.ask("cleanup", drill=4)


def test_nothing_leaves_the_bubble_and_it_cannot_see_its_host(drills: Drills) -> None:
    address = drills.restore(5, "desktop")
    drills.ask("start", drill=5, lease_seconds=300)
    desk, host = drills.steps.site.hosts["desk1"].address, drills.steps.site.hosts["recover1"].address
    outside = {"production desk": (desk, 443), "production database": (desk, 5432), "Internet": ("1.1.1.1", 443)}
    here = {"repository": (host, 9000 + ALPHA.number), "ssh": (address.rsplit(".", 1)[0] + ".21", 22)}
    targets = [{"name": n, "address": a, "port": p} for n, (a, p) in (outside | here).items()]
    attempts = drills.ask("leaks", drill=5, targets=targets)["attempts"]
    assert [one["name"] for one in attempts if not one["blocked"]] == []
    assert {one["name"] for one in attempts if one["control"]} >= {"production desk", "repository"}
    # Root inside opens its own firewall and makes itself a way out: this host's firewall still says no.
    inside = "nsenter --net=/run/netns/drill-5"
    gateway = drills.steps.on("recover1", "ip -4 -o address show drill5").split()[3].partition("/")[0]
    drills.steps.on("recover1", f"{inside} nft flush ruleset; {inside} ip route add default via {gateway}")
    attempts = drills.ask("leaks", drill=5, targets=targets)["attempts"]
    assert [one["name"] for one in attempts if not one["blocked"]] == []
    root = "/var/lib/recovery/drills/5/root"
    seen = drills.steps.on(
        "recover1", f"ls -d {root}/srv/recovery {root}/etc/recovery {root}/home/provision 2>&1 || true"
    )
    assert seen.count("No such file") == 3, seen
    drills.ask("cleanup", drill=5)


@pytest.mark.parametrize("operation", ["pin", "prepare", "unpack", "start"])
@pytest.mark.parametrize("after", [0.4, *(pytest.param(moment, marks=pytest.mark.long) for moment in (0.1, 1.0))])
def test_a_drill_whose_caller_was_killed_leaves_nothing(drills: Drills, operation: str, after: float) -> None:
    number = 20 + ["pin", "prepare", "unpack", "start"].index(operation) * 10 + round(after * 5)
    asked = {
        "drill": number,
        "agency": ALPHA.id,
        "component": "desktop",
        **drills.access("desktop"),
        "lease_seconds": 3,
    }
    if operation == "start":
        drills.restore(number, "desktop", lease_seconds=60)
    elif operation != "pin":
        asked["snapshot"] = drills.pin(number, "desktop", lease_seconds=60)["chosen"]
        if operation == "unpack":
            drills.ask("prepare", drill=number, lease_seconds=3)
    process = subprocess.Popen(drills.command(operation), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stdin
    process.stdin.write(json.dumps(asked))
    process.stdin.close()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    drills.steps.try_on("recover1", f"sleep 0.1; echo '{json.dumps({'drill': number, 'lease_seconds': 1})}' | "
        "/usr/local/lib/recovery/drill renew")  # fmt: skip
    deadline = time.monotonic() + REAPED_WITHIN
    while (told := drills.ask("status")) != {"drills": [], "leftovers": []}:
        assert time.monotonic() < deadline, told
        time.sleep(1)
    left = (
        "ls /var/lib/recovery/drills /run/netns; mount | grep drill; nft list tables | grep -v host_firewall;"
        "pgrep -l 'restic|nspawn'; true"
    )
    assert (
        drills.steps.on("recover1", left).replace("/run/netns:", "").replace("/var/lib/recovery/drills:", "").split()
        == []
    )


@pytest.mark.parametrize(
    ("operation", "question", "complaint"),
    [
        (
            "pin",
            {"drill": 90, "agency": "nobody", "component": "desktop", "host": "pc1", "password": "x"},
            "nobody has no repository",
        ),
        (
            "pin",
            {"drill": "9", "agency": "nobody", "component": "desktop", "host": "pc1", "password": "x"},
            "has to be a number",
        ),
        ("prepare", {"drill": 91, "lease_seconds": 9}, "no lease"),
        ("start", {"drill": 91, "lease_seconds": 9}, "no lease"),
        ("renew", {"drill": 91, "lease_seconds": 9}, "no lease"),
        ("prepare", {"lease_seconds": 9}, "the question has no 'drill'"),
        ("dance", {}, "no operation 'dance'"),
    ],
)
def test_an_invalid_request_is_refused(
    drills: Drills, operation: str, question: dict[str, Any], complaint: str
) -> None:
    told = drills.ask(operation, fails=True, **question)
    assert complaint in told["error"]
    assert told.get("gone", False) is ("no lease" in complaint)
    drills.ask("cleanup", drill=90)


def test_a_component_without_a_backup_cannot_be_rehearsed(drills: Drills) -> None:
    asked = {"drill": 92, "agency": ALPHA.id, "component": "thin-client", "host": "thin1", "password": "x"}
    assert "no repository of thin-client.thin1" in drills.ask("pin", fails=True, **asked)["error"]
    assert drills.ask("cleanup", drill=92)["leftovers"] == []
