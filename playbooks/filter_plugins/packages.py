"""Which packages a role wants on a host, as its `meta/packages.yml` says."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

RESTORES = "restores"
"""The key whose value is not packages of a function, but roles all of whose packages are wanted on every host."""


def role_packages(role_path: str, functions: Iterable[str]) -> list[str]:
    """Names of Debian packages, sorted, for a host that has these functions of the role's component."""
    lists = _lists(Path(role_path))
    wanted = {package for function in functions for package in lists.get(function, ())}
    for role in lists.get(RESTORES, ()):
        wanted.update(package for names in _lists(Path(role_path).parent / role).values() for package in names)
    return sorted(wanted)


def _lists(role: Path) -> Mapping[str, list[str]]:
    text = (role / "meta" / "packages.yml").read_text(encoding="utf-8")
    found: Mapping[str, list[str]] = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Filters by name."""
        return {"role_packages": role_packages}
