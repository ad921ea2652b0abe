"""The guide for contributors names the marks that tests may have."""

import re
import tomllib
from pathlib import Path


def test_the_guide_explains_every_mark_of_a_test(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    marks = {mark.partition(":")[0] for mark in project["tool"]["pytest"]["ini_options"]["markers"]}
    table = (
        (root / "CONTRIBUTING.md").read_text().partition("| mark | for a test that | runs in |")[2].partition("\n\n")[0]
    )
    assert set(re.findall(r"^\| `(\w+)` \| \S", table, re.MULTILINE)) == marks
