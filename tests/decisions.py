"""Takes the titles of decisions, from their files, into the list of decisions.

python -m tests.decisions
"""

import re
from pathlib import Path

from tests.conftest import ROOT

LIST = ROOT / "docs" / "decisions" / "README.md"
ROW = re.compile(r"^\| \[(\d{4})\]\((\S+)\) \| (.*?) \| (\S.*) \|$", re.MULTILINE)
"""A line of the list: number, file, title, and the decision in one line."""


def heading(decision: Path) -> str:
    return decision.read_text().splitlines()[0]


def titled(document: str) -> str:
    """The list with the titles that stand in the files."""

    def line(row: re.Match[str]) -> str:
        number, file, _, told = row.groups()
        return f"| [{number}]({file}) | {heading(LIST.parent / file).removeprefix(f'# {number} ')} | {told} |"

    return ROW.sub(line, document)


if __name__ == "__main__":
    LIST.write_text(titled(LIST.read_text()))
