"""The document about the architecture has the floors and rooms of the import contracts, on the same levels."""

import re
import tomllib
from pathlib import Path

import pytest

TABLES = {
    "Imports go one way": "## Floors",
    "Rooms of the domain": "### Rooms of the domain",
    "Rooms of the use-cases": "### Rooms of the use-cases",
}
"""The heading above the table of each contract."""


@pytest.fixture
def contracts(root: Path) -> dict[str, list[set[str]]]:
    """Floors or rooms by contract, level by level, the highest first."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    layered = [one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    return {one["name"]: [set(layer.split(" | ")) for layer in one["layers"]] for one in layered}


def test_every_contract_of_levels_has_its_table(contracts: dict[str, list[set[str]]]) -> None:
    assert set(contracts) == set(TABLES)


@pytest.mark.parametrize("contract", TABLES)
def test_a_table_matches_its_contract(contract: str, contracts: dict[str, list[set[str]]], root: Path) -> None:
    document = (root / "docs" / "architecture.md").read_text()
    table = re.split(r"\n##+ ", document.partition(f"\n{TABLES[contract]}\n")[2])[0]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| \S", table, re.MULTILINE)
    assert [int(level) for level, _ in rows] == sorted((int(level) for level, _ in rows), reverse=True)
    levels = range(len(contracts[contract]), 0, -1)
    assert [{room for at, room in rows if int(at) == level} for level in levels] == contracts[contract]
