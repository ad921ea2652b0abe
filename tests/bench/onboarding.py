"""Four agencies with four components each, onboarded by the orchestrator, by a shell loop, and by `xargs -P4`.

The loops run `ansible-playbook` as it comes, one play a step, each with an inventory of its own, and keep no record of
anything. The orchestrator plans, stores, queues and drives; a worker is started for each measurement and its first step
pays for warming up. Hosts are this machine (`connection: local`).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.bootstrap import build, initialise
from orchestrator.domain.run import RunState
from orchestrator.settings import Settings
from tests.bench.__main__ import PARAMETERS
from tests.bench.scale import environment
from tests.conftest import WORLD
from tests.usecases.conftest import order

AGENCIES = tuple(f"agency-{letter}" for letter in "abcd")
COMPONENTS = ("alpha", "beta", "gamma", "delta")
VERBS = ("precheck", "provision", "verify")
ROUNDS = 3


def by_orchestrator() -> float:
    """Seconds from the first plan to the last agency in service."""
    with tempfile.TemporaryDirectory() as home:
        given = {"ORCHESTRATOR_HOME": home} | {f"ORCHESTRATOR_{n.upper()}": str(WORLD / n)
                 for n in ("catalog", "playbooks", "inventories")}  # fmt: skip
        with environment(given):
            initialise(Settings())
            began = time.perf_counter()
            with build(Settings()) as app:
                for agency in AGENCIES:
                    plan = app.ordering.plan(order(agency, **{c: {} for c in COMPONENTS}))
                    app.provisioning.open_run(plan.id)

                def done() -> bool:
                    with app.store.read() as tx:
                        return tx.runs.count(RunState.SUCCEEDED) == len(AGENCIES)

                app.work(done)
            return time.perf_counter() - began


def commands(folder: Path) -> list[list[str]]:
    """One ansible-playbook a step, agency by agency."""
    program = str(Path(sys.executable).parent / "ansible-playbook")
    found = []
    for agency in AGENCIES:
        own = {"journal_agency": {"id": agency}, "journal_functions": ["place"], "journal_journal": "/dev/null"}
        facts = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "step_role": "journal"}
        hosts = {"here": {"ansible_host": "127.0.0.1", **own, **PARAMETERS, "journal_secrets": {"token": "x"}}}
        inventory = folder / f"{agency}.json"
        inventory.write_text(json.dumps({"all": {"vars": facts, "hosts": hosts}}))
        for _ in COMPONENTS:
            found += [[program, "-i", str(inventory), str(WORLD / "playbooks" / f"{verb}.yml")] for verb in VERBS]
    return found


def by_shell(processes: int) -> float:
    """Seconds of `xargs -P`: one process is the plain loop."""
    with tempfile.TemporaryDirectory() as name:
        lines = "\n".join(" ".join(command) for command in commands(Path(name)))
        stock = os.environ | {"ANSIBLE_ROLES_PATH": str(WORLD / "playbooks/roles")}
        began = time.perf_counter()
        subprocess.run(
            ["xargs", f"-P{processes}", "-I{}", "sh", "-c", "{} >/dev/null"],
            input=lines,
            text=True,
            env=stock,
            check=True,
        )
        return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    rounds = [(by_orchestrator(), by_shell(1), by_shell(4)) for _ in range(ROUNDS)]
    table = Table(
        title=f"{len(AGENCIES)} agencies x {len(COMPONENTS)} components, {ROUNDS} rounds", title_justify="left"
    )
    for heading in ("how", "median s", "times as long as ours"):
        table.add_column(heading, justify="left" if heading == "how" else "right")
    for column, how in enumerate(("orchestrator", "shell loop", "xargs -P4")):
        took = statistics.median(r[column] for r in rounds)
        table.add_row(how, f"{took:.1f}", f"{statistics.median(r[column] / r[0] for r in rounds):.1f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
