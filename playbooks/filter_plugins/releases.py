"""Which releases of an operating system a role is for, as the platforms of its `meta/main.yml` say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml


def release_obstacles(os_release: str, role_path: str) -> list[str]:
    """Return what stands in the way, one thing or nothing, on the host whose os-release is among these lines."""
    host = dict(re.findall(r'^(ID|VERSION_CODENAME|PRETTY_NAME)="?([^"\n]*)', os_release, re.MULTILINE))
    platforms = _platforms(Path(role_path))
    if host.get("VERSION_CODENAME") in platforms.get(host.get("ID", ""), ()):
        return []
    supported = "; ".join(f"{name.title()} {', '.join(versions)}" for name, versions in platforms.items())
    return [f"the host runs {host.get('PRETTY_NAME', 'something unknown')}, and this component is for {supported}"]


def _platforms(role: Path) -> dict[str, list[str]]:
    told = yaml.load((role / "meta" / "main.yml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {platform["name"].lower(): platform["versions"] for platform in told["galaxy_info"]["platforms"]}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Filters by name."""
        return {"release_obstacles": release_obstacles}
