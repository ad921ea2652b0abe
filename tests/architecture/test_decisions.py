"""The list of decisions names the decisions there are."""

import re
from pathlib import Path


def test_the_list_of_decisions_has_each_with_its_number_and_title(root: Path) -> None:
    folder = root / "docs" / "decisions"
    headings = {file.name: file.read_text().splitlines()[0] for file in sorted(folder.glob("[0-9]*.md"))}
    listed = re.findall(
        r"^\| \[(\d{4})\]\((.*?)\) \| (.*?) \| \S.* \|$", (folder / "README.md").read_text(), re.MULTILINE
    )
    assert [(name, f"# {number} {title}") for number, name, title in listed] == list(headings.items())
    assert all(name.startswith(f"{number}-") for number, name, _ in listed)


def test_numbers_that_no_decision_has_are_said_to_be_unused(root: Path) -> None:
    folder = root / "docs" / "decisions"
    numbers = [int(file.name[:4]) for file in folder.glob("[0-9]*.md")]
    assert len(numbers) == len(set(numbers))
    *_, last = (folder / "README.md").read_text().splitlines()
    unused = {int(number) for number in re.findall(r"\d{4}", last)}
    assert unused == set(range(1, max(numbers) + 1)) - set(numbers)
