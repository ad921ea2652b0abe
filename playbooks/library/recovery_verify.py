#!/usr/bin/python
"""Ansible module: use a backup repository as its writers do, and try what they must not be able to do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_verify
short_description: Use a backup repository as its writers do, and try what they must not be able to do
description:
  - Backs up a small file, restores it and compares. Proves that the writer can neither remove a backup nor access
    another writer's repository, and that a wrong password and another user are refused.
  - Leaves one snapshot tagged C(verify), because nothing can be removed; retention keeps only the last.
options:
  repository:
    description: The repository of this writer and how to reach it. M(recovery_backup) describes its parts.
    type: dict
    required: true
  host:
    description: Name of the host that the snapshot names as its origin.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: The same as in normal mode.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Use the repository
  recovery_verify:
    repository: "{{ repository }}"
    host: recover1
"""

RETURN = r"""
snapshot:
  description: Id of the snapshot that stays.
  returned: success
  type: str
"""

import base64
import http.client
import secrets
import ssl
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.recovery_repository import OPTIONS, Repository, RepositoryError

TAG = "verify"


def status(given: dict[str, Any], method: str, path: str, user: str, password: str) -> int:
    """Send one request and return the status of the response."""
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    trust = ssl.create_default_context(cadata=given["authority"])
    connection = http.client.HTTPSConnection(given["address"], given["port"], timeout=30, context=trust)
    try:
        connection.request(method, path, headers={"Authorization": f"Basic {credentials}"})
        return connection.getresponse().status
    finally:
        connection.close()


def round_trip(repository: Repository, host: str) -> str:
    """Back up and restore; return the id of the snapshot."""
    mark = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "mark").write_text(mark)
        snapshot = str(repository.backup(Path(place), tag=TAG, host=host)["snapshot_id"])
        back = Path(place) / "back"
        repository.restore(snapshot, back, tag=TAG)
        if (back / place.lstrip("/") / "mark").read_text() != mark:
            raise RepositoryError("the restored file differs from the file that was backed up")
    return snapshot


def full_id(repository: Repository, snapshot: str) -> str:
    """Return the name under which a snapshot is stored."""
    found = [name for name in repository.restic("list", "snapshots").split() if name.startswith(snapshot)]
    if len(found) != 1:
        raise RepositoryError(f"snapshot {snapshot} is not in the list of snapshots")
    return found[0]


def verify(given: dict[str, Any]) -> str:
    """Use the repository, try what must be refused, and return the id of the remaining snapshot."""
    repository = Repository(given["repository"])
    way = given["repository"]
    snapshot = round_trip(repository, given["host"])
    part = f"snapshots/{full_id(repository, snapshot)}"
    stored = f"/{way['user']}/{part}"
    for user, password in ((way["user"], "not the password"), (f"not-{way['user']}", way["writer_password"])):
        if (found := status(way, "GET", stored, user, password)) != 401:
            raise RepositoryError(f"a request with somebody else's credentials got status {found}, not 401")
    if (found := status(way, "GET", stored, way["user"], way["writer_password"])) != 200:
        raise RepositoryError(f"a request with the writer's own credentials got status {found}, not 200")
    if (found := status(way, "DELETE", stored, way["user"], way["writer_password"])) != 403:
        raise RepositoryError(f"a request to remove a backup got status {found}, not 403")
    for method in ("GET", "POST"):
        if (found := status(way, method, f"/not-{way['user']}/{part}", way["user"], way["writer_password"])) != 403:
            raise RepositoryError(f"{method} in another writer's repository got status {found}, not 403")
    full_id(repository, snapshot)
    return snapshot


def main() -> None:
    """Verify once and report what is wrong, if anything."""
    module = AnsibleModule(
        argument_spec={"repository": OPTIONS, "host": {"type": "str", "required": True}}, supports_check_mode=True
    )
    try:
        module.exit_json(changed=False, snapshot=verify(module.params))
    except (RepositoryError, OSError) as error:
        module.fail_json(msg=f"the repository failed verification: {error}")


if __name__ == "__main__":
    main()
