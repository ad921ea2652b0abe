"""Rules of nftables as the kernel lists them: those in force, and those that a file would set."""

from __future__ import annotations

import shlex
from pathlib import Path
from shutil import which

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.network_namespace import within


def in_force(module: AnsibleModule, table: str, namespace: str | None = None) -> str:
    """Return the rules of a table in the family inet, without counters; empty if there is no such table."""
    if which("nft") is None:
        return ""
    command = [*within(namespace), "nft", "--stateless", "list", "table", "inet", table]
    status, output, _ = module.run_command(command)
    return str(output) if status == 0 else ""


def declared(module: AnsibleModule, file: Path, table: str) -> str:
    """Return the rules of a table as a file defines them. They are loaded in a separate network namespace. Fails if the
    file is invalid."""
    load = f"nft --file {shlex.quote(str(file))} && nft --stateless list table inet {shlex.quote(table)}"
    status, output, errors = module.run_command(["unshare", "--net", "sh", "-c", load])
    if status != 0:
        module.fail_json(msg=f"{file}: {errors or output}")
    return str(output)
