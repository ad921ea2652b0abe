#!/usr/bin/python3
"""Checks this host against the baseline in a file, counts updates that wait, and writes the figures for figures.py."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import host_checks

HELP = {
    "security_score_ratio": "The share of the baseline's checks that passed.",
    "security_check_passed": "Whether a check of the baseline passed.",
    "security_updates_pending": "Packages for which an update waits.",
    "security_measured_timestamp_seconds": "When this was measured.",
}


def shown(checks: list[host_checks.Check], pending: dict[str, int], now: float) -> str:
    """Return the figures in the text format of Prometheus."""
    values = {
        "security_score_ratio": {"": sum(check.passed for check in checks) / len(checks)},
        "security_check_passed": {f'{{check="{check.name}"}}': float(check.passed) for check in checks},
        "security_updates_pending": {f'{{kind="{kind}"}}': float(count) for kind, count in pending.items()},
        "security_measured_timestamp_seconds": {"": now},
    }
    return "\n".join([*_lines(values), ""])


def _lines(values: dict[str, dict[str, float]]) -> Iterator[str]:
    for name, text in HELP.items():
        yield from (f"# HELP {name} {text}", f"# TYPE {name} gauge")
        yield from (f"{name}{labels} {value!r}" for labels, value in values[name].items())


def waiting(simulated: str) -> dict[str, int]:
    """Count the updates that apt-get would install: those of security, and others."""
    lines = re.findall(r"^Inst \S+ \[.*", simulated, re.MULTILINE)
    security = sum("security" in line.lower() for line in lines)
    return {"security": security, "other": len(lines) - security}


def main() -> None:
    """Measure once."""
    baseline, file = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    pending = waiting(host_checks.said("apt-get", "--simulate", "-o", "Debug::NoLocking=1", "dist-upgrade"))
    new = file.with_suffix(".new")
    new.write_text(shown(host_checks.checked(baseline), pending, time.time()))
    new.replace(file)


if __name__ == "__main__":
    main()
