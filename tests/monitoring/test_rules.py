"""monitoring/: the alert rules are valid, and their own test cases hold."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

RULES = sorted((ROOT / "monitoring/rules").glob("*.yml"))
CASES = sorted((ROOT / "monitoring/tests").glob("*.yml"))

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="this machine has no promtool")


def promtool(*words: str | Path) -> str:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_valid_and_few() -> None:
    said = promtool("check", "rules", *RULES)
    assert sum(int(line.split()[1]) for line in said.splitlines() if "rules found" in line) <= 30


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[c.stem for c in CASES])
def test_rules_pass_their_cases(case: Path) -> None:
    promtool("test", "rules", case)


def test_the_prometheus_example_is_valid() -> None:
    assert "SUCCESS" in promtool("check", "config", ROOT / "monitoring/prometheus.yml")


def test_every_file_of_rules_has_cases() -> None:
    assert [r.name for r in RULES] == [c.name for c in CASES] != []
