"""A writer's own backup repository: over TLS, with one password for the server and one for the contents."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible.module_utils.secret_pipe import piped

OPTIONS: dict[str, Any] = {
    "type": "dict",
    "required": True,
    "options": {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "authority": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "writer_password": {"type": "str", "required": True, "no_log": True},
        "repository_password": {"type": "str", "required": True, "no_log": True},
    },
}
"""Argument specification of a module's option `repository`."""


class RepositoryError(Exception):
    """The repository refused, or could not be reached."""


def run(*command: str, inside: Path = Path("/")) -> str:
    """Run a program that must succeed, and return its output."""
    done = subprocess.run(command, cwd=inside, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RepositoryError(f"{command[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def run_as(user: str, program: str, operation: str, folder: Path, agency: str) -> str:
    """Give a folder to a system user and have it run a component's dump program on it."""
    run("chown", "--recursive", "--no-dereference", f"{user}:", str(folder))
    return run("runuser", "-u", user, "--", program, operation, str(folder), agency)


class Repository:
    """Runs restic on the repository. Neither password is in an argument, the environment or a file."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def restic(self, *arguments: str) -> str:
        """Run one restic command, and return its output."""
        given = self._given
        way = f"{given['user']}:{given['writer_password']}@{given['address']}:{given['port']}"
        texts = {
            "--repository-file": f"rest:https://{way}/{given['user']}/",
            "--password-file": given["repository_password"],
            "--cacert": given["authority"],
        }
        with ExitStack() as pipes:
            held = {option: pipes.enter_context(piped(text)) for option, text in texts.items()}
            told = [part for option, number in held.items() for part in (option, f"/dev/fd/{number}")]
            # Without a cache, so that nothing of a backup stays behind.
            command = ["restic", "--no-cache", *told, *arguments]
            done = subprocess.run(command, pass_fds=held.values(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().replace(given["writer_password"], "********")
            raise RepositoryError(f"restic {arguments[0]}: {said}")
        return done.stdout

    def backup(self, place: Path, *, tag: str, host: str) -> dict[str, Any]:
        """Back up a folder as one snapshot, and return restic's summary of it."""
        said = self.restic("backup", "--json", "--tag", tag, "--host", host, str(place))
        summary: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return summary

    def restore(self, snapshot: str, target: Path, *, tag: str) -> None:
        """Restore a snapshot, by its id or as `latest` of this tag. The repository has those of one host only."""
        chosen = ["--tag", tag] if snapshot == "latest" else []
        self.restic("restore", snapshot, *chosen, "--target", str(target))
