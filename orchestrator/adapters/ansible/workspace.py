"""The private data directory of one step: new, mode 0700, on tmpfs if available, removed afterwards.

It is never reused: ansible-runner keeps `env/cmdline` there, and a directory left by a check run would turn the next
real run into a check run that reports success and changes nothing.
"""

import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from orchestrator.adapters.ansible import forkclient, guard
from orchestrator.ports.outside import SiteAccess
from orchestrator.ports.runs import Assignment

TMPFS = Path("/dev/shm")  # noqa: S108 - our directory in it is private

RUNNER_SETTINGS = {"pexpect_timeout": 0.2, "suppress_output_file": True}
"""`pexpect_timeout` is how often, in seconds, ansible-runner checks whether to stop. Settings are read only from a
file: without `env/settings`, ansible-runner drops those passed as arguments too."""


@dataclass(frozen=True)
class Workspace:
    """A directory for one run of ansible-runner, to be put first on its PATH.

    Its `ansible-playbook` starts the real one under a guard: a warm guard, if one waits at `warm`. `password` opens the
    vaulted secrets.
    """

    path: Path
    inventory: Path
    socket: Path
    warm: Path
    password: bytes


def base_folder() -> Path | None:
    """Where private directories are created; None means the system's default."""
    return TMPFS if os.access(TMPFS, os.W_OK) else None


@contextmanager
def workspace(assignment: Assignment, access: SiteAccess) -> Iterator[Workspace]:
    path = Path(tempfile.mkdtemp(prefix="orchestrator-", dir=base_folder()))
    try:
        inventory = path / "inventory"
        for folder in ("group_vars", "host_vars"):
            (inventory / folder).mkdir(parents=True, mode=0o700)
        _write(inventory / "hosts.json", json.dumps(_inventory(assignment, access)))
        for host, variables in assignment.variables.items():
            (inventory / "host_vars" / host).mkdir(mode=0o700)
            _write(inventory / "host_vars" / host / "variables.yml", _inert(variables))
        (path / "env").mkdir(mode=0o700)
        _write(path / "env" / "settings", json.dumps(RUNNER_SETTINGS))
        password = secrets.token_hex(32).encode()
        shared = {assignment.secrets_variable: {**assignment.secrets, **assignment.passwords}}
        _write(inventory / "group_vars" / "all.yml", _vaulted(shared, password))
        for host, writer in assignment.writers.items():
            _write(inventory / "host_vars" / host / "writer.yml", _vaulted({"step_writer": writer}, password))
        place = Workspace(
            path=path, inventory=inventory, socket=path / "guard.sock", warm=path / "warm.sock", password=password
        )
        _write(path / "ansible-playbook", _wrapper(place), mode=0o700)
        yield place
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _inventory(assignment: Assignment, access: SiteAccess) -> dict[str, Any]:
    site = assignment.site
    facts = {
        **site.facts,
        "site_name": site.name,
        "site_known_hosts_file": str(access.known_hosts),
        "step_role": assignment.role,
        "step_again": assignment.again,
        "ansible_ssh_private_key_file": str(access.key),
    }
    hosts, keeper = ({n: site.hosts[n].variables for n in names} for names in _hosts(assignment))
    return {"all": {"vars": facts, "hosts": hosts, "children": {"keeper": {"hosts": keeper}}}}


def _hosts(assignment: Assignment) -> tuple[Iterable[str], Iterable[str]]:
    """The hosts of the step, and the host that some of them delegate tasks to."""
    return assignment.variables, [assignment.keeper] if assignment.keeper else []


def _inert(variables: Mapping[str, Any]) -> str:
    """Variables as YAML that Ansible reads as text, never as templates, because their values come from call-offs."""
    plain = json.loads(json.dumps(variables))
    return "!unsafe\n" + str(yaml.dump(plain, Dumper=yaml.CSafeDumper))


def _vaulted(variables: Mapping[str, Any], password: bytes) -> str:
    sealed: bytes = VaultLib([("default", VaultSecret(password))]).encrypt(_inert(variables))
    return sealed.decode()


def _wrapper(place: Workspace) -> str:
    program = [sys.executable, "-I", "-S", forkclient.__file__, str(place.warm), guard.__file__]
    playbook = Path(sys.executable).parent / "ansible-playbook"
    arguments = [*program, str(place.socket), str(place.path), str(playbook)]
    return f'#!/bin/sh\nexec {shlex.join(arguments)} "$@"\n'


def _write(path: Path, text: str, *, mode: int = 0o600) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
