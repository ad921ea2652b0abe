"""Steps by the real Ansible adapter on a practice site of the tests' own: see grounds.py."""

import base64
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.ansible.guarded import Guards
from orchestrator.adapters.ansible.runner import AnsibleRunner
from orchestrator.adapters.ansible.warm import WarmStart
from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.adapters.practice.commands import PACKAGES
from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.estate.site import Placement, Site
from orchestrator.domain.events import TaskFinished
from orchestrator.domain.ordering.accounts import vouched
from orchestrator.domain.ordering.certificates import certified
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.ordering.reachability import Reachability
from orchestrator.domain.runs.assignment import (
    accounts_known,
    host_variables,
    passwords,
    roles_beside,
    secrets_variable,
    writer_of,
)
from orchestrator.domain.runs.run import StepOutcome, StepState
from orchestrator.domain.selling.agreement import Agency
from orchestrator.domain.selling.catalog import SecretKind, Verb
from orchestrator.ports.outside import SiteAccess
from orchestrator.ports.runs import Assignment
from tests.budgets import counting
from tests.conftest import ROOT
from tests.playbooks.grounds import NETWORKS, PracticeHome, practice_site

TODAY = datetime.now(UTC)
"""The day of all steps, as of those of a run, as far as certificates go."""

BRANCHES = list(IPv4Network("10.80.0.0/12").subnets(new_prefix=20))
"""By the number of an agency."""

MISSING = sorted(tool for tool in PACKAGES if shutil.which(tool) is None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a practice site. The tests of a component stay together."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            named = item.path if item.path.parent == folder else item.path.parent
            item.add_marker(pytest.mark.xdist_group(named.stem.removeprefix("test_").replace("_", "-")))
            item.add_marker(pytest.mark.practice)
            item.add_marker(pytest.mark.skipif(os.geteuid() != 0, reason="only root may boot practice hosts"))
            item.add_marker(pytest.mark.skipif(bool(MISSING), reason=f"this machine has no {', '.join(MISSING)}"))


@pytest.fixture(scope="session")
def practice(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeHome]:
    with practice_site(tmp_path_factory.mktemp("practice"), suite=pytestconfig.getoption("suite")) as home:
        counting.hosts = home.hosts_usage
        yield home


@pytest.fixture(scope="module", autouse=True)
def _fresh_hosts(practice: PracticeHome) -> None:
    """No file of tests finds what another did to the hosts."""
    practice.clear()


@dataclass(frozen=True)
class Tenant:
    """An agency as the steps of one test see it."""

    id: str
    number: int

    @property
    def agency(self) -> Agency:
        contact = {"role": "manager", "name": "M", "email": f"m@{self.id}.example"}
        plain = {"id": self.id, "name": self.id.title(), "class": "agency", "seats": 10, "contacts": [contact]}
        return Agency.model_validate(plain)

    def allocations(self) -> dict[str, Allocation]:
        given = {
            "number": str(self.number),
            "subnet": f"{NETWORKS}.{self.number}.0/24",
            "vpn_port": str(51900 + self.number),
            "session_port": str(13000 + self.number),
            "directory_port": str(63600 + self.number),
            "access_port": str(24430 + self.number),
            "access_network": f"10.65.{self.number}.0/24",
            "journal_port": str(19600 + self.number),
            "rack": str(self.number),
            "device_port": str(15000 + self.number),
            "laptop_port": str(54000 + self.number),
            "branch_port": str(55000 + self.number),
            "second_branch_port": str(55254 + self.number),
            "branch_network": str(BRANCHES[self.number]),
        }
        return {
            name: Allocation(site="practice", pool=name, block=block, agency=self.id, name=name)
            for name, block in given.items()
        }


ALPHA = Tenant("alpha-agency", 201)
BRAVO = Tenant("bravo-agency", 202)
BOTH = (ALPHA, BRAVO)


@dataclass(frozen=True)
class Steps:
    """Carries out single steps with the real runner, as the engine would."""

    source: CatalogFiles
    site: Site
    runner: AnsibleRunner
    practice: PracticeHome
    said: list[Any] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.practice.home

    def run(self, component: str, verb: str, *, until: str | None = None, **options: Any) -> StepOutcome:
        """Carry one step out, or kill it when it has done the task named `until`."""
        self.said.clear()
        assignment = self.assignment(component, verb, **options)
        self.practice.boot({*assignment.variables, *([assignment.keeper] if assignment.keeper else [])})
        return self.runner.run(assignment, on_events=self.said.extend, cancelled=lambda: self._has_done(until))

    def _has_done(self, task: str | None) -> bool:
        return task is not None and any(isinstance(told, TaskFinished) and told.task == task for told in self.said)

    def assignment(
        self,
        component: str,
        verb: str,
        *,
        tenant: Tenant = ALPHA,
        check: bool = False,
        again: bool = False,
        tier: str = "standard",
        parameters: Mapping[str, Any] | None = None,
        quantity: int = 1,
        placement: Placement | None = None,
        others: Mapping[str, Placement] | None = None,
        on: str | None = None,
        more: Mapping[str, Any] | None = None,
        at: datetime = TODAY,
        renewed: tuple[str, ...] = (),
        vouching: Mapping[str, Any] | None = None,
    ) -> Assignment:
        """What a step is to do, `on` another host than the component's own, with `more` variables of the role, on the
        day `at`, and with other secrets for those `renewed`. `others` says where other services of the agency are, and
        `vouching` the parameters of the one that vouches for its people, if the agency has it."""
        found = self.source.catalog().components[component]
        hosts = placement or {f: self.site.group(group) for f, group in found.hosts.items()}
        instance = self.instance(tenant, component, tier=tier, parameters=parameters, hosts=hosts, quantity=quantity)
        needed = {
            n: {f: self.site.group(g) for f, g in self.source.catalog().components[n].hosts.items()}
            for n in found.needs
        }
        services = {component: instance, **{n: self.instance(tenant, n, hosts=h) for n, h in (others or {}).items()}}
        if found.accounts_from and vouching is not None:
            services[found.accounts_from] = self.vouching(tenant, found.accounts_from, vouching)
            services = vouched(services, self.source.catalog())
            instance = services[component]
        sources = {name: name for names in hosts.values() for name in names}
        variables = host_variables(
            found,
            instance,
            placement=hosts,
            agency=tenant.agency,
            allocations=tenant.allocations(),
            needed=needed,
            site=self.site,
            reachability=self.reachability(tenant, services),
            # What a component needs is there until it has gone.
            beside=roles_beside(
                found,
                {**{n: self.instance(tenant, n, hosts=h) for n, h in needed.items()}, **services},
                self.source.catalog().components,
            ),
            namesakes=[],
            certified=certified(f"{tenant.id}.{self.site.domain}", at) if found.certified else None,
            accounts=accounts_known(
                instance, services, self.source.catalog(), site=self.site, allocations=tenant.allocations()
            ),
        )
        if on:
            variables, sources = {on: next(iter(variables.values()))}, {on: next(iter(sources))}
        secrets, keeper = secrets_of(tenant, component, self.source, renewed=renewed), None
        if Verb(verb) in (Verb.BACKUP, Verb.RESTORE):
            more = {"recovery": self.recovery(tenant, component), **(more or {})}
            secrets["recovery_authority_key"] = secrets_of(tenant, "disaster-recovery", self.source)["authority_key"]
            keeper = None if on else "recover1"
        password = None
        if source := instance.accounts_from:
            theirs = secrets_of(tenant, source, self.source, renewed=renewed)
            secrets["accounts_authority_key"], password = theirs["authority_key"], theirs["people_password"]
        added = {f"{found.role}_{name}": value for name, value in (more or {}).items()}
        return Assignment(
            run=0,
            step=f"{component}.{verb}",
            role=found.role,
            verb=Verb(verb),
            site=self.site,
            variables={host: {**told, **added} for host, told in variables.items()},
            secrets=secrets,
            passwords=passwords(found, instance.parameters, secrets, vouched=password),
            secrets_variable=secrets_variable(found),
            writers={host: self.writer(tenant, component, source) for host, source in sources.items()},
            keeper=keeper,
            timeout=found.timeout(Verb(verb)),
            check=check,
            again=again,
        )

    def instance(
        self,
        tenant: Tenant,
        component: str,
        *,
        hosts: Placement,
        tier: str = "standard",
        parameters: Mapping[str, Any] | None = None,
        quantity: int = 1,
    ) -> ServiceInstance:
        return ServiceInstance(
            agency=tenant.id,
            component=component,
            tier=tier,
            quantity=quantity,
            parameters=self.source.catalog().components[component].resolve(tier, parameters or {}),
            hosts=hosts,
            state=InstanceState.PENDING,
            changed_at="2026-01-01T00:00:00Z",
        )

    def vouching(self, tenant: Tenant, component: str, parameters: Mapping[str, Any]) -> ServiceInstance:
        """The service of an agency that vouches for people."""
        groups = self.source.catalog().components[component].hosts
        hosts = {function: self.site.group(group) for function, group in groups.items()}
        return self.instance(tenant, component, parameters=parameters, hosts=hosts)

    def reachability(self, tenant: Tenant, known: Mapping[str, ServiceInstance]) -> Reachability:
        """Who may reach what when the agency has everything there is, of which these services are known."""
        catalog = self.source.catalog()
        services = dict(known)
        for name, component in catalog.components.items():
            groups = {f: self.site.group(group) for f, group in component.hosts.items()}
            hosts = {
                f: (names[1 - tenant.number % 2],) if component.dedicates(f) else names for f, names in groups.items()
            }
            services.setdefault(name, self.instance(tenant, name, hosts=hosts))
        return Reachability(services, catalog=catalog, allocations=tenant.allocations(), site=self.site)

    def writer(self, tenant: Tenant, component: str, host: str) -> dict[str, str]:
        """Who writes the component's backups on a host."""
        return writer_of(component, host, secrets_of(tenant, "disaster-recovery", self.source))

    def recovery(self, tenant: Tenant, component: str) -> dict[str, Any]:
        """Where the component's backups go."""
        host, port = next(h for h in self.site.hosts.values() if "recovery_hosts" in h.groups), 9000 + tenant.number
        repository = f"rest:https://{host.address}:{port}/"
        return {"address": host.address, "port": port, "repository": repository, "tag": component}

    def succeed(self, component: str, verb: str, **options: Any) -> StepOutcome:
        """The same, and it must succeed."""
        outcome = self.run(component, verb, **options)
        assert outcome.state is StepState.SUCCEEDED, outcome.error
        return outcome

    def same_time(
        self, component: str, verb: str, *, of: Callable[[Tenant], dict[str, Any]] = lambda tenant: {"tenant": tenant}
    ) -> list[StepOutcome]:
        """The same for both agencies at once, with the options `of` each."""
        with ThreadPoolExecutor() as pool:
            outcomes = list(pool.map(lambda tenant: self.run(component, verb, **of(tenant)), BOTH))
        assert [outcome.state for outcome in outcomes] == [StepState.SUCCEEDED] * 2, [o.error for o in outcomes]
        return outcomes

    def changed(self, component: str, verb: str, **options: Any) -> list[str]:
        """The tasks that changed something in a step that must succeed."""
        self.succeed(component, verb, **options)
        return [f"{e.host}: {e.task}" for e in self.said if isinstance(e, TaskFinished) and e.outcome == "changed"]

    def on(self, host: str, command: str) -> str:
        """What a shell command says, run as root on a host of the site."""
        done = self.try_on(host, command)
        assert done.returncode == 0, f"{command!r} on {host}: {done.stdout}{done.stderr}"
        return done.stdout

    def try_on(self, host: str, command: str) -> "subprocess.CompletedProcess[str]":
        self.practice.boot([host])
        folder = self.home / "sites" / "practice"
        options = [f"UserKnownHostsFile={folder / 'known_hosts'}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
        ssh = ["ssh", "-i", str(folder / "id_ed25519"), *(part for o in options for part in ("-o", o))]
        target = f"provision@{self.site.hosts[host].address}"
        return subprocess.run(
            [*ssh, target, "sudo", "-n", "sh"], input=command, text=True, capture_output=True, timeout=300, check=False
        )


def secrets_of(
    tenant: Tenant, component: str, source: CatalogFiles, *, renewed: tuple[str, ...] = ()
) -> dict[str, str]:
    """Secrets that are the same in every step of a test: made of the names, long enough to be redacted."""

    def secret(name: str, kind: SecretKind) -> str:
        text = f"{'new' if name in renewed else ''}{tenant.id}:{component}:{name}:secret-of-the-tests"
        key = base64.b64encode(text.encode()[:32].ljust(32, b"x")).decode()
        return text if kind is SecretKind.PASSWORD else key

    return {n: secret(n, kind) for n, kind in source.catalog().components[component].secrets.items()}


def steps_on(practice: PracticeHome) -> Steps:
    source = CatalogFiles(
        catalog_dir=ROOT / "catalog", inventories_dir=practice.inventories, playbooks_dir=ROOT / "playbooks"
    )
    folder = practice.home / "sites" / "practice"
    access = SiteAccess(key=folder / "id_ed25519", known_hosts=folder / "known_hosts")
    runner = AnsibleRunner(playbooks=ROOT / "playbooks", guards=Guards(lease_seconds=7200), access_of=lambda _: access)
    return Steps(source=source, site=source.site("practice"), runner=runner, practice=practice)


@pytest.fixture(scope="session")
def steps(practice: PracticeHome) -> Iterator[Steps]:
    """Single steps on the tests' practice site, which start warm as a worker's do."""
    warm, found = WarmStart(ROOT / "playbooks"), steps_on(practice)
    yield replace(found, runner=replace(found.runner, warm=warm))
    warm.close()


def run_in_rt(steps: Steps, program: str) -> str:
    """Run a line of Perl inside Request Tracker, where $all is the system's own user."""
    start = "use lib '/usr/share/request-tracker5/lib'; use RT -init; my $all = RT->SystemUser;"
    return steps.on("desk1", f"cd /; runuser -u www-data -- perl - <<'PERL'\n{start} {program}\nPERL")
