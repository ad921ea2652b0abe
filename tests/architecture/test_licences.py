"""The document about licences names every module that imports Ansible."""

import ast
import re
import tomllib
from pathlib import Path


def imported(module: Path) -> set[str]:
    """The names of packages that a module imports anywhere in it."""
    nodes = list(ast.walk(ast.parse(module.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in plain | named}


def test_the_document_names_the_modules_that_import_ansible(root: Path) -> None:
    package = root / "orchestrator"
    found = {str(m.relative_to(package)) for m in package.rglob("*.py") if "ansible" in imported(m)}
    named = re.findall(r"^\| `(adapters/\S+\.py)` \|", (root / "docs/licences.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(found)


def test_plugins_of_playbooks_import_nothing_from_ansible(root: Path) -> None:
    plugins = [*root.glob("playbooks/filter_plugins/*.py"), *root.glob("playbooks/test_plugins/*.py")]
    assert plugins
    assert not [plugin.name for plugin in plugins if "ansible" in imported(plugin)]


def test_the_package_names_its_licence_and_includes_it(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert all((root / name).is_file() for name in project["license-files"])
