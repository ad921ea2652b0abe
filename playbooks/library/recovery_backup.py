#!/usr/bin/python
"""Ansible module: back up one agency's part of a component as one snapshot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_backup
short_description: Back up one agency's part of a component as one snapshot
description:
  - Copies O(files), runs O(dump), writes a manifest of both, and backs all of it up as one snapshot with restic.
  - The manifest names the component, the agency, the host, the time (UTC) and the tools, and lists the contents as
    counts and SHA-256 digests.
  - Leaves nothing on the host. Fails in check mode, because a backup cannot be predicted.
options:
  repository:
    description: The repository of this writer and how to reach it.
    type: dict
    required: true
    suboptions:
      address: {description: Address of the recovery host., type: str, required: true}
      port: {description: Port of the repository., type: int, required: true}
      authority: {description: Certificate authority of the repository as PEM text., type: str, required: true}
      user: {description: Name of the writer., type: str, required: true}
      writer_password: {description: Password of the writer., type: str, required: true}
      repository_password: {description: Password of the contents., type: str, required: true}
  component:
    description: The component. It is the snapshot's tag.
    type: str
    required: true
  agency:
    description: Short name of the agency.
    type: str
    required: true
  host:
    description: Name of the host.
    type: str
    required: true
  files:
    description: Files and folders to back up, with owners, modes and extended attributes. Missing ones are skipped.
    type: list
    elements: path
    default: []
  dump:
    description: Program that dumps what files do not hold. It is given C(dump), a folder, and O(agency), and prints a
      JSON document that becomes part of the manifest, its C(tools) among the tools.
    type: path
  dump_user:
    description: System user that runs O(dump).
    type: str
    default: root
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Back up the desk
  recovery_backup:
    repository: "{{ recovery_repository }}"
    component: service-desk
    agency: cabinet-office
    host: desk1
    files: [/etc/service-desk/agencies/cabinet-office.json]
    dump: /usr/local/lib/service-desk/recovery/desk.py
    dump_user: www-data
"""

RETURN = r"""
snapshot:
  description: Id of the snapshot.
  returned: success
  type: str
manifest:
  description: What it holds.
  returned: success
  type: dict
"""

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.file_tree import facts
from ansible.module_utils.recovery_repository import OPTIONS, Repository, RepositoryError, run, run_as

STAGING = Path("/var/backups/recovery")


def now() -> str:
    """Return the present instant as text."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def collect(given: dict[str, Any], place: Path) -> dict[str, Any]:
    """Collect everything in the folder, with a manifest beside it, and return the manifest."""
    started = now()
    files, database = place / "files", place / "database"
    for folder in (files, database):
        folder.mkdir()
    present = [path for path in given["files"] if Path(path).exists()]
    if present:
        run("cp", "--archive", "--parents", "--reflink=auto", "--", *present, str(files))
    dumped: dict[str, Any] = {}
    if given["dump"]:
        database.chmod(0o700)
        dumped = json.loads(run_as(given["dump_user"], given["dump"], "dump", database, given["agency"]))
    tools = {"restic": run("restic", "version").split()[1], **dumped.pop("tools", {})}
    manifest = {
        **{name: given[name] for name in ("component", "agency", "host")},
        "taken_at": {"started": started, "finished": now()},
        "tools": tools,
        "files": facts(files),
        **dumped,
    }
    (place / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest


def take(given: dict[str, Any]) -> dict[str, Any]:
    """Take the backup."""
    place = STAGING / given["component"] / given["agency"]
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o711, parents=True)
    try:
        manifest = collect(given, place)
        summary = Repository(given["repository"]).backup(place, tag=given["component"], host=given["host"])
    finally:
        shutil.rmtree(place)
    return {"snapshot": summary["snapshot_id"], "manifest": manifest}


def main() -> None:
    """Take one backup and report its snapshot."""
    module = AnsibleModule(
        argument_spec={
            "repository": OPTIONS,
            "component": {"type": "str", "required": True},
            "agency": {"type": "str", "required": True},
            "host": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
            "dump": {"type": "path"},
            "dump_user": {"type": "str", "default": "root"},
        },
    )
    try:
        module.exit_json(changed=True, **take(module.params))
    except (RepositoryError, OSError) as error:
        module.fail_json(msg=f"no backup was taken: {error}")


if __name__ == "__main__":
    main()
