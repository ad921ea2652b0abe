"""The house rules that a machine can check."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from orchestrator.bootstrap import initialise
from orchestrator.settings import Settings

MODULES = sorted((Path(__file__).parents[2] / "orchestrator").rglob("*.py"))


def length(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_modules_are_short() -> None:
    """Median at most 120 lines, 90th percentile 250, none over 400."""
    lengths = sorted(length(m) for m in MODULES if length(m) > 3)
    assert statistics.median(lengths) <= 120
    assert statistics.quantiles(lengths, n=10)[-1] <= 250
    assert lengths[-1] <= 400


def test_few_modules_stand_outside_rooms(root: Path) -> None:
    """At most 8 in the domain, the ground and the roof; at most 3 among the use-cases."""
    for floor, most in (("domain", 8), ("usecases", 3)):
        outside = [m.name for m in (root / "orchestrator" / floor).glob("*.py") if m.name != "__init__.py"]
        assert len(outside) <= most, outside


def test_functions_are_short() -> None:
    """Median at most 10 lines, 90th percentile 35."""
    lengths = [
        node.end_lineno - node.lineno + 1
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    ]
    assert statistics.median(lengths) <= 10
    assert statistics.quantiles(lengths, n=10)[-1] <= 35


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.stem)
def test_every_module_says_what_it_is(module: Path) -> None:
    assert module.stem == "__init__" or ast.get_docstring(ast.parse(module.read_text()))


def test_only_the_database_adapter_knows_of_sessions() -> None:
    """Everybody else has a Transaction, which is not `Any`."""
    for module in MODULES:
        if "adapters/database" in module.as_posix():
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            assert not (isinstance(node, ast.Attribute) and node.attr == "session"), f"{module}:{node.lineno}"
            if isinstance(node, ast.arg) and node.arg == "tx" and node.annotation:
                assert ast.unparse(node.annotation) == "Transaction", f"{module}:{node.lineno}"


def settings_of(model: type[BaseModel], prefix: str) -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += settings_of(inner, f"{prefix}{name.upper()}__")
        else:
            assert field.description, name
            names.append(f"{prefix}{name.upper()}")
    return names


def test_every_setting_is_documented(root: Path) -> None:
    documented = set(re.findall(r"^\| `(ORCHESTRATOR_\w+)`", (root / "docs/operating.md").read_text(), re.MULTILINE))
    assert documented == set(settings_of(Settings, "ORCHESTRATOR_"))


def documents(root: Path) -> list[Path]:
    """What is written for people, but for the history of versions."""
    here = [document for document in root.glob("*.md") if document.name != "CHANGELOG.md"]
    return [*here, *root.glob("docs/**/*.md"), root / "playbooks/README.md"]


def test_links_between_documents_lead_somewhere(root: Path) -> None:
    for document in documents(root):
        for target, section in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", document.read_text()):
            file = document.parent / target if target else document
            assert file.exists(), f"{document.name} -> {target}"
            assert not section or section in sections(file), f"{document.name} -> {target}#{section}"


def sections(document: Path) -> set[str]:
    """What links call the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_modules_that_documents_name_exist(root: Path) -> None:
    """Such as `domain/runs/run.py`, from the package's folder or from the top."""
    for document in documents(root):
        for name in re.findall(
            r"`(?:orchestrator/)?((?:domain|usecases|ports|adapters|entrypoints)/[\w/]+\.py)", document.read_text()
        ):
            assert (root / "orchestrator" / name).is_file(), f"{document.name}: {name}"


def loaded_by(program: str) -> set[str]:
    """Modules that a program has imported by its end."""
    program += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_nothing_that_only_commands_need() -> None:
    """The command line alone: everything else takes longer to import than help takes to print."""
    program = "from orchestrator.entrypoints.cli.app import run; run(['--help'])"
    assert not {"pydantic", "sqlalchemy", "yaml", "ansible", "rich", "attr"} & loaded_by(program)


def test_a_command_imports_nothing_that_only_other_commands_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path))
    initialise(Settings())
    program = "from orchestrator.entrypoints.cli.app import run; run(['run', 'list', '--json'])"
    others = {
        "alembic",
        "ansible",
        "aiohttp",
        "cryptography",
        "dbos",
        "fastapi",
        "holidays",
        "jsonschema_rs",
        "paramiko",
    }
    assert not (others | {"jsonschema_rs", "rich", "sqlalchemy.dialects.postgresql"}) & loaded_by(program)
