"""The Debian packages that the hosts of a group may need, by the roles of the catalog's components."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.adapters.catalog_files.documents import YamlDocument, role_file
from orchestrator.domain.estate.site import STANDBY
from orchestrator.domain.selling.catalog import Catalog, Component
from orchestrator.ports.catalog import Problem

PACKAGES = "meta/packages.yml"
RESTORES = "restores"
"""The key in a role's lists that names other roles, whose packages are also available on each of its hosts."""
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian Policy, 5.6.1


def group_packages(catalog: Catalog, roles: Path) -> Mapping[str, frozenset[str]]:
    """Return, by host group, the packages that the catalog's components may install on its hosts. Hosts that stand by
    need those of the group that they stand by for."""
    groups: dict[str, frozenset[str]] = {}
    for component in (one for one in catalog.components.values() if one.role):
        lists = _lists(roles / component.role_name)
        standing_by = {
            name for role in lists.get(RESTORES, ()) for names in _lists(roles / role).values() for name in names
        }
        for function, group in component.hosts.items():
            groups[group] = groups.get(group, frozenset()) | standing_by | set(lists.get(function, ()))
    return groups | {f"{group}{STANDBY}": packages for group, packages in groups.items()}


def package_problems(document: YamlDocument, component: Component, role: Path) -> Iterator[Problem]:
    """Problems with the package lists of the component's role."""
    if not (role / PACKAGES).is_file():
        yield document.problem(("role",), f"role {role.name} has no {PACKAGES}")
        return
    lists = _lists(role)
    for function in sorted(set(lists) - set(component.hosts) - {RESTORES}):
        yield document.problem(
            ("hosts",), f"{role.name}/{PACKAGES} has packages of {function!r}, which is not a function of the component"
        )
    for other in lists.get(RESTORES, ()):
        if not (role.parent / other / PACKAGES).is_file():
            yield document.problem(("role",), f"{role.name}/{PACKAGES} restores {other!r}, a role without {PACKAGES}")
    for name in (name for function in component.hosts for name in lists.get(function, ())):
        if not _NAME.fullmatch(name):
            yield document.problem(("role",), f"{role.name}/{PACKAGES}: {name!r} is not the name of a Debian package")


def _lists(role: Path) -> Mapping[str, list[str]]:
    found: Mapping[str, list[str]] = role_file(role / PACKAGES)
    return found
