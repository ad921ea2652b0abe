"""Four agencies onboarded on the practice site: by the orchestrator, by a shell loop, and by four loops side by side.

Real roles on real hosts over ssh. One agency is there before, so that the platforms are installed, which takes as long
whoever does it. A loop runs `ansible-playbook` as it comes, one play a step, with an inventory of its own, and keeps no
record of anything. The orchestrator plans, stores, queues and drives; the worker that does it is started for each
measurement and its first step pays for warming up.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.bootstrap import build, initialise
from orchestrator.domain.runs.run import RunState
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.settings import Settings
from tests.bench.scale import environment
from tests.conftest import ROOT
from tests.playbooks.conftest import MISSING, Steps, Tenant, steps_on
from tests.playbooks.grounds import PracticeHome, practice_site

AGENCIES = tuple(f"agency-{letter}" for letter in "abcd")
TENANTS = tuple(Tenant(f"loop-{letter}", 210 + number) for number, letter in enumerate("abcd"))
COMPONENTS = ("network", "service-desk", "thin-client")
VERBS = ("precheck", "provision", "verify")
ROUNDS = 2


def call_off(agency: str) -> CallOff:
    contact = {"role": "manager", "name": "M", "email": f"m@{agency}.example"}
    return CallOff.model_validate(
        {
            "framework": "flex",
            "agency": {"id": agency, "name": agency, "class": "agency", "seats": 10, "contacts": [contact]},
            "site": "practice",
            "term": {"start": "2026-12-01", "months": 24},
            "services": {component: {"tier": "standard"} for component in COMPONENTS},
        }
    )


def by_orchestrator(agencies: Iterable[str], *, leave: bool = False) -> float:
    """Seconds from the first plan to the last agency in service, or to the last that has left."""
    began = time.perf_counter()
    with build(Settings()) as app:
        ordering = app.ordering.planning
        plans = [ordering.plan_offboarding(a) if leave else ordering.plan(call_off(a)) for a in agencies]
        runs = [app.ordering.provisioning.open_run(plan.id).id for plan in plans]

        def done() -> bool:
            return all(app.observing.run(run).state is RunState.SUCCEEDED for run in runs)

        app.engine.work(done)
    return time.perf_counter() - began


def commands(steps: Steps, tenant: Tenant, folder: Path, verbs: Iterable[str]) -> list[list[str]]:
    """One ansible-playbook a step."""
    program = str(Path(sys.executable).parent / "ansible-playbook")
    access, found = steps.runner.access_of("practice"), []
    for component in COMPONENTS:
        for verb in verbs:
            given = steps.assignment(component, verb, tenant=tenant)
            facts = {
                **steps.site.facts,
                given.secrets_variable: dict(given.secrets),
                "site_name": "practice",
                "site_known_hosts_file": str(access.known_hosts),
                "step_role": given.role,
                "ansible_ssh_private_key_file": str(access.key),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={access.known_hosts}",
            }
            hosts = {name: {**steps.site.hosts[name].variables, **own} for name, own in given.variables.items()}
            inventory = folder / f"{tenant.id}-{component}-{verb}.json"
            inventory.write_text(json.dumps({"all": {"vars": facts, "hosts": hosts}}))
            found.append([program, "-i", str(inventory), str(ROOT / "playbooks" / f"{verb}.yml")])
    return found


def by_loops(steps: Steps, *, at_once: int, verbs: Iterable[str] = VERBS) -> float:
    """Seconds of one loop an agency, so many side by side."""

    def loop(lines: list[list[str]]) -> None:
        for line in lines:
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as name:
        scripts = [commands(steps, tenant, Path(name), verbs) for tenant in TENANTS]
        began = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(loop, scripts))
        return time.perf_counter() - began


def again() -> float:
    """Seconds to find that an agency has everything that it orders, which is all that applying it again does."""
    with build(Settings()) as app:
        app.ordering.planning.plan(call_off("first"))  # reads the catalog
        began = time.perf_counter()
        assert app.ordering.planning.plan(call_off("first")).plan.empty
        return time.perf_counter() - began


def measure(steps: Steps) -> tuple[float, float, float]:
    """One round. Whoever was onboarded leaves again."""
    ours = by_orchestrator(AGENCIES)
    by_orchestrator(AGENCIES, leave=True)
    one = by_loops(steps, at_once=1)
    by_loops(steps, at_once=4, verbs=["retire"])
    four = by_loops(steps, at_once=4)
    by_loops(steps, at_once=4, verbs=["retire"])
    Console().print(f"a round: {ours:.0f} s by the orchestrator, {one:.0f} s by one loop, {four:.0f} s by four")
    return ours, one, four


def rounds(home: PracticeHome) -> tuple[list[tuple[float, float, float]], float]:
    """What each way took in each round, and what applying again takes."""
    with environment(home.environment):
        initialise(Settings())
        by_orchestrator(["first"])
        steps = steps_on(home)
        return [measure(steps) for _ in range(ROUNDS)], again()


def main() -> None:
    """Measure and print."""
    if os.geteuid() != 0 or MISSING:
        Console().print("Onboarding is not measured: it takes root and the tools of a practice site.")
        return
    with tempfile.TemporaryDirectory() as name, practice_site(Path(name)) as home:
        home.boot_all()
        measured, unchanged = rounds(home)
    table = Table(
        title=f"{len(AGENCIES)} agencies x {len(COMPONENTS)} components, {ROUNDS} rounds, {os.cpu_count()} cores",
        title_justify="left",
    )
    for heading in ("how", "median s", "times as long as ours"):
        table.add_column(heading, justify="left" if heading == "how" else "right")
    for column, how in enumerate(("orchestrator", "shell loop", "four loops side by side")):
        took = statistics.median(r[column] for r in measured)
        table.add_row(how, f"{took:.1f}", f"{statistics.median(r[column] / r[0] for r in measured):.1f}")
    Console(width=110).print(table, f"Applying again what stands: {unchanged * 1000:.0f} ms, no play")


if __name__ == "__main__":
    main()
