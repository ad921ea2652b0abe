"""The small world's catalog, with probes of alpha, and what probes have found."""

import shutil
from datetime import timedelta
from pathlib import Path

from orchestrator.domain.calendars.spans import EPOCH
from orchestrator.domain.service_levels.record import Timeline
from orchestrator.ports.store import Transaction
from tests.conftest import WORLD


def probed_catalog(folder: Path, *probes: str, trust: str = "") -> Path:
    """A copy of the catalog in which alpha has some probes, each as YAML writes it in one line, and a file to trust."""
    copy = folder / "catalog"
    shutil.copytree(WORLD / "catalog", copy)
    alpha = copy / "components/alpha.yml"
    lines = "".join(f"  - {probe}\n" for probe in probes)
    text = alpha.read_text().replace("endpoints:", f"probes:\n{lines}endpoints:")
    text = text.replace("parameters:\n  type", "people: {people: token}\nparameters:\n  type")
    if trust:
        text = text.replace("recovery:\n", f'recovery:\n  trust: {{function: place, file: "{trust}"}}\n')
    alpha.write_text(text)
    return copy


def timelines(tx: Transaction, agency: str, component: str) -> dict[str, Timeline]:
    """All that was ever found, by probe."""
    return tx.transitions.between(agency, component, EPOCH, EPOCH + timedelta(days=73_000))
