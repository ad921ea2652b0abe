"""What bears an agency's name or number on a host and belongs to a role, as its `meta/traces.yml` says."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

FIREWALL = r"file /etc/host-firewall/{{id}}\.{role}\.rules"
"""What every host has for a role that is there."""


def role_traces(roles: Iterable[str], playbooks: str) -> list[str]:
    """Patterns of what these roles have on a host for an agency, as the module agency_traces takes them."""
    return [
        pattern for role in roles for pattern in (*_read(Path(playbooks, "roles", role)), FIREWALL.format(role=role))
    ]


def _read(role: Path) -> list[str]:
    found: list[str] = yaml.load((role / "meta" / "traces.yml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Filters by name."""
        return {"role_traces": role_traces}
