"""The document about life cycles matches the tables in the domain."""

import importlib
import pkgutil
import re

import pytest

import orchestrator.domain
from orchestrator.domain.lifecycle import Lifecycle
from tests.life_cycles import DOCUMENT, LIVES, Life, diagram, drawn, section


def test_the_diagrams_match_the_tables() -> None:
    document = DOCUMENT.read_text()
    assert drawn(document) == document, "make docs draws them anew"


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.cycle.subject)
def test_the_document_has_the_diagram_and_explains_every_state(life: Life) -> None:
    text = section(life, DOCUMENT.read_text())
    assert diagram(life) in text
    assert re.findall(r"^\| `(\w+)` \| \S", text, re.MULTILINE) == list(life.states)


def test_the_document_has_every_life_cycle_of_the_domain() -> None:
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(orchestrator.domain.__path__, "orchestrator.domain.")
    ]
    found = {value.subject for module in modules for value in vars(module).values() if isinstance(value, Lifecycle)}
    assert found == {life.cycle.subject for life in LIVES}
