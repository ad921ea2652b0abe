"""Writes the dashboards: python -m monitoring.dashboards.generate [FOLDER]."""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards.running import operations, recovery
from monitoring.dashboards.service_levels import agency, fleet

DASHBOARDS = {"fleet": fleet, "agency": agency, "recovery": recovery, "operations": operations}


def write(folder: Path) -> None:
    """One file for each, the same whenever it is made."""
    for name, made in DASHBOARDS.items():
        dashboard = made().build()
        for number, panel in enumerate(dashboard.panels or [], start=1):  # what links and alerts know a panel by
            panel.id_val = number
        text = JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False).encode(dashboard)
        (folder / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
