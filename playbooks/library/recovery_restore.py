#!/usr/bin/python
"""Ansible module: bring one agency's part of a component back from a snapshot, in its own place."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_restore
short_description: Bring one agency's part of a component back from a snapshot, in its own place
description:
  - Restores a snapshot that M(recovery_backup) has taken, checks its files against its manifest, puts them back in
    place, and runs O(load) to bring back what is not in files. A second run does the same again.
options:
  repository:
    description: The repository of this writer and how to reach it. M(recovery_backup) describes its parts.
    type: dict
    required: true
  component:
    description: The component.
    type: str
    required: true
  agency:
    description: Short name of the agency.
    type: str
    required: true
  snapshot:
    description: Id of the snapshot, or C(latest) of this component.
    type: str
    default: latest
  missing_only:
    description: Files and folders that are put back only if they are missing.
    type: list
    elements: path
    default: []
  only:
    description: Files and folders to put back, if not all of them.
    type: list
    elements: path
    default: []
  load:
    description: Program that brings back what files do not hold. It is given C(merge), the folder of the dump, and
      O(agency).
    type: path
  load_user:
    description: System user that runs O(load).
    type: str
    default: root
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Bring the desk back
  recovery_restore:
    repository: "{{ recovery_repository }}"
    component: service-desk
    agency: cabinet-office
    load: /usr/local/lib/service-desk/recovery/desk.py
    load_user: www-data
"""

RETURN = r"""
manifest:
  description: What was brought back.
  returned: success
  type: dict
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.file_tree import read_manifest
from ansible.module_utils.recovery_repository import OPTIONS, Repository, RepositoryError, run, run_as


def fetch(given: dict[str, Any], target: Path) -> tuple[Path, dict[str, Any]]:
    """Restore the snapshot into a separate folder; return that folder and the manifest."""
    Repository(given["repository"]).restore(given["snapshot"], target, tag=given["component"])
    folder = target / "var/backups/recovery" / given["component"] / given["agency"]
    if not (folder / "manifest.json").is_file():
        raise RepositoryError(
            f"snapshot {given['snapshot']} is not a backup of {given['component']} for {given['agency']}"
        )
    return folder, read_manifest(folder)


def bring_back(given: dict[str, Any]) -> dict[str, Any]:
    """Restore the snapshot, put its files in place and load the rest."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="recovery-") as target:
        Path(target).chmod(0o711)
        folder, manifest = fetch(given, Path(target))
        for kept in given["missing_only"]:
            copy = folder / "files" / kept.lstrip("/")
            if Path(kept).exists() and copy.exists():
                shutil.rmtree(copy) if copy.is_dir() else copy.unlink()
        for kept in given["only"] or ["/"]:
            if (folder / "files" / kept.lstrip("/")).exists():
                run("cp", "--archive", "--parents", "--", f"./{kept.lstrip('/')}", "/", inside=folder / "files")
        if given["load"]:
            run_as(given["load_user"], given["load"], "merge", folder / "database", given["agency"])
    return manifest


def main() -> None:
    """Bring back one snapshot."""
    module = AnsibleModule(
        argument_spec={
            "repository": OPTIONS,
            "component": {"type": "str", "required": True},
            "agency": {"type": "str", "required": True},
            "snapshot": {"type": "str", "default": "latest"},
            "missing_only": {"type": "list", "elements": "path", "default": []},
            "only": {"type": "list", "elements": "path", "default": []},
            "load": {"type": "path"},
            "load_user": {"type": "str", "default": "root"},
        },
    )
    try:
        module.exit_json(changed=True, manifest=bring_back(module.params))
    except (RepositoryError, OSError, ValueError) as error:
        module.fail_json(msg=f"nothing was brought back: {error}")


if __name__ == "__main__":
    main()
