"""The list of decisions matches the decisions there are."""

import re

from tests.decisions import LIST, ROW, heading

FILES = sorted(LIST.parent.glob("[0-9]*.md"))
NUMBERS = [file.name[:4] for file in FILES]


def test_the_list_has_every_decision_with_its_number_and_title() -> None:
    listed = [(number, file, title) for number, file, title, _ in ROW.findall(LIST.read_text())]
    assert [(number, file) for number, file, _ in listed] == [(file.name[:4], file.name) for file in FILES]
    assert [f"# {number} {title}" for number, _, title in listed] == [heading(file) for file in FILES], "make docs"


def test_numbers_without_a_decision_are_listed_as_unused() -> None:
    assert len(NUMBERS) == len(set(NUMBERS))
    unused = {f"{number:04}" for number in range(1, int(NUMBERS[-1]) + 1)} - set(NUMBERS)
    assert set(re.findall(r"\d{4}", LIST.read_text().splitlines()[-1])) == unused
