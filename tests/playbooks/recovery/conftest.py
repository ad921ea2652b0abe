"""Two agencies with disaster recovery, a desk and a directory, one with everything else that is backed up as well."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.domain.estate.site import Placement
from orchestrator.domain.runs.run import StepState
from tests.playbooks.conftest import ALPHA, BRAVO, Steps, Tenant, run_in_rt

PLACEMENTS: dict[str, Placement] = {
    "desktop": {"desktop": ("pc1",)},
    "data-centre": {"collector": ("log1",), "server": ("server1",)},
}
HOSTS = {
    "service-desk": "desk1", "network": "gw1", "desktop": "pc1", "identity": "id1", "data-centre": "log1",
    "laptop": "devices1",
}  # fmt: skip
"""Where a component's backups are written."""
SERVICES = [
    ("disaster-recovery", ALPHA), ("disaster-recovery", BRAVO), ("service-desk", ALPHA), ("service-desk", BRAVO),
    ("network", ALPHA), ("desktop", ALPHA), ("identity", ALPHA), ("identity", BRAVO), ("data-centre", ALPHA),
    ("laptop", ALPHA),
]  # fmt: skip
TICKETS = """
for my $n (1 .. 5) {
    my $secret = "Secret of {id}, number $n:\\n\\ttab and \\\\ and \\x{00e9}";
    my $text = MIME::Entity->build(Type => 'text/plain', Data => [$secret]);
    my $ticket = RT::Ticket->new($all);
    my ($id, undef, $said) = $ticket->Create(
        Queue => '{id}', Subject => "Concern of {id}", Requestor => 'jane@{id}.example', MIMEObj => $text);
    die $said unless $id;
    $ticket->Comment(Content => "Looked into by {id}");
}
"""


def sql(steps: Steps, *queries: str) -> str:
    """Ask the desk's database."""
    asked = " ".join(f'-c "{query}"' for query in queries)
    return steps.on("desk1", f"cd /; runuser -u www-data -- psql -XqAt rtdb {asked}")


@dataclass(frozen=True)
class Drills:
    """The drill program of the recovery host, asked as the orchestrator does."""

    steps: Steps

    def access(self, component: str) -> dict[str, str]:
        """The host whose backups of a component are rehearsed with, and the password that opens them."""
        host = HOSTS[component]
        return {"host": host, "password": self.steps.writer(ALPHA, component, host)["repository_password"]}

    def command(self, operation: str) -> list[str]:
        folder, host = self.steps.home / "sites" / "practice", self.steps.site.hosts["recover1"]
        options = ["-i", str(folder / "id_ed25519"), "-o", f"UserKnownHostsFile={folder / 'known_hosts'}"]
        program = ["sudo", "-n", "/usr/local/lib/recovery/drill", operation]
        return ["ssh", *options, "-o", "BatchMode=yes", f"provision@{host.address}", *program]

    def ask(self, operation: str, *, fails: bool = False, **question: Any) -> Any:
        """The answer to a question; `fails` says that an error is expected."""
        done = subprocess.run(
            self.command(operation),
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == (1 if fails else 0), done.stdout + done.stderr
        return json.loads(done.stdout)

    def pin(self, drill: int, component: str, lease_seconds: int = 900) -> Any:
        asked = {"agency": ALPHA.id, "component": component, **self.access(component)}
        return self.ask("pin", drill=drill, lease_seconds=lease_seconds, **asked)

    def restore(self, drill: int, component: str, lease_seconds: int = 900) -> str:
        """Pin, prepare and restore; return the bubble's address."""
        pinned = self.pin(drill, component)
        address: str = self.ask("prepare", drill=drill, lease_seconds=lease_seconds)["address"]
        folder, name = f"/var/lib/recovery/drills/{drill}", f"drill-{drill}"
        bubble = {"directory": folder, "snapshot": pinned["chosen"], "name": name, "address": address}
        placement = PLACEMENTS.get(component)
        self.steps.succeed(component, "restore", on="recover1", more={"bubble": bubble}, placement=placement)
        return address


def _each(steps: Steps, verb: str, services: list[tuple[str, Tenant]]) -> None:
    def carry_out(service: tuple[str, Tenant]) -> Any:
        return steps.run(service[0], verb, tenant=service[1], placement=PLACEMENTS.get(service[0]))

    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(carry_out, services))
    assert {o.state for o in outcomes} == {StepState.SUCCEEDED}, [o.error for o in outcomes]


@pytest.fixture(scope="module")
def protected(steps: Steps) -> Steps:
    """Everything is provisioned, both agencies have tickets, and the first one's components are backed up."""

    def make() -> None:
        _each(steps, "provision", SERVICES)
        for tenant in (ALPHA, BRAVO):
            run_in_rt(steps, TICKETS.replace("{id}", tenant.id))
        for component in HOSTS:
            steps.succeed(component, "backup", placement=PLACEMENTS.get(component))

    steps.practice.in_state("protected", make)
    return steps


@pytest.fixture(scope="module")
def drills(protected: Steps) -> Drills:
    """The drill program, with a backup of each component to rehearse with."""
    return Drills(protected)
