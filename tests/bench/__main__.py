"""`make bench`: ratios from interleaved pairs on this machine, never single absolute times.

A pair runs the same work once by the orchestrator and once by the bare tool, one right after the other, so that a noisy
machine disturbs both. The median of the pairs' ratios is what counts.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.adapters.ansible.guarded import Guards
from orchestrator.adapters.ansible.runner import AnsibleRunner
from orchestrator.adapters.ansible.warm import WarmStart
from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.domain.runs.run import StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.outside import SiteAccess
from orchestrator.ports.runs import Assignment
from tests.conftest import ROOT, WORLD

PAIRS = 7
VARIABLES = {"journal_agency": {"id": "bench"}, "journal_functions": ["place"], "journal_journal": "/dev/null"}
PARAMETERS = {"journal_sleep": 0, "journal_fail_while": "/nonexistent", "journal_tell": False}


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def pairs(ours: Callable[[], None], bare: Callable[[], None]) -> tuple[float, float, float]:
    """Median seconds of ours and of the bare tool, and the median of the pairs' ratios."""
    ours(), bare()  # both once unmeasured, to fill caches
    measured = [(seconds(ours), seconds(bare)) for _ in range(PAIRS)]
    ratio = statistics.median(a / b for a, b in measured)
    return statistics.median(a for a, _ in measured), statistics.median(b for _, b in measured), ratio


def step_by_orchestrator(*, warm: WarmStart | None) -> Callable[[], None]:
    """One verify step through the runner: workspace, guard, ansible-runner, events."""
    source = CatalogFiles(
        catalog_dir=WORLD / "catalog", inventories_dir=WORLD / "inventories", playbooks_dir=WORLD / "playbooks"
    )
    access = SiteAccess(key=Path("/dev/null"), known_hosts=Path("/dev/null"))
    guards = Guards(lease_seconds=3600)
    runner = AnsibleRunner(playbooks=WORLD / "playbooks", guards=guards, access_of=lambda _: access, warm=warm)
    assignment = Assignment(
        run=0,
        step="alpha.verify",
        role="journal",
        verb=Verb.VERIFY,
        site=source.site("bench"),
        variables={"here": {**VARIABLES, **PARAMETERS}},
        secrets={"token": "a-secret-of-the-bench"},
        secrets_variable="journal_secrets",
        timeout=timedelta(minutes=5),
    )

    def step() -> None:
        outcome = runner.run(assignment, on_events=lambda _: None, cancelled=lambda: False)
        assert outcome.state is StepState.SUCCEEDED, outcome.error

    return step


def step_by_ansible(folder: Path) -> Callable[[], None]:
    """The same play by ansible-playbook alone, with the same settings."""
    facts = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "step_role": "journal"}
    hosts = {"here": {"ansible_host": "127.0.0.1", **VARIABLES, **PARAMETERS}}
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"all": {"vars": facts, "hosts": hosts}}))
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(ROOT / "orchestrator/adapters/ansible/ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(WORLD / "playbooks/roles"),
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [program, "-i", inventory, WORLD / "playbooks/verify.yml"]
    return lambda: run(command, environment)


def run(command: list[object], environment: dict[str, str]) -> None:
    subprocess.run(list(map(str, command)), env=environment, check=True, capture_output=True)


def main() -> None:
    """Measure and print."""
    table = Table(title=f"Medians of {PAIRS} interleaved pairs on {os.cpu_count()} cores", title_justify="left")
    for heading in ("what", "ours s", "beside s", "ratio", "beside"):
        table.add_column(heading, justify="right" if heading.endswith(("s", "ratio")) else "left")
    with tempfile.TemporaryDirectory() as name:
        environment = os.environ | {"ORCHESTRATOR_HOME": name}
        python = [sys.executable, "-m", "orchestrator"]
        empty = [sys.executable, "-c", "import sqlalchemy, pydantic, typer"]
        bare_step = step_by_ansible(Path(name))
        warm = WarmStart(WORLD / "playbooks")
        measures = [
            ("one step, warm", step_by_orchestrator(warm=warm), bare_step, "ansible-playbook of the same play"),
            ("one step, cold", step_by_orchestrator(warm=None), bare_step, "ansible-playbook of the same play"),
            ("--help", lambda: run([*python, "--help"], environment), lambda: run(empty, environment), "imports alone"),
            (
                "plan of an example",
                lambda: run([*python, "plan", ROOT / "examples/cabinet-office.yml"], environment),
                lambda: run(empty, environment),
                "imports alone",
            ),
        ]
        for what, ours, bare, beside in measures:
            mine, other, ratio = pairs(ours, bare)
            table.add_row(what, f"{mine:.2f}", f"{other:.2f}", f"{ratio:.2f}", beside)
        warm.close()
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
