#!/usr/bin/python3
"""Uses a desktop as one of its people does, over ssh; see conversation.py for how it is talked to.

`authority` is the host's public key as in a known_hosts file (`ssh-ed25519 AAAA..`). Without one
nobody is asked.
"""

from __future__ import annotations

import base64
import secrets
import shlex

import paramiko
from conversation import Document, UseError, is_older, talk

CANARY = ".recovery-canary"
SECONDS = 2.0
KINDS = {"ssh-ed25519": paramiko.Ed25519Key, "ssh-rsa": paramiko.RSAKey}


class Person:
    """One login on the desktop, over one connection that is kept open."""

    def __init__(self, given: Document) -> None:
        login = given["parameters"]["users"][0]
        password = given["secrets"]["users_passwords"][login]
        self._given = {**given, "port": 22, "name": given["address"], "login": login, "password": password}
        self._client: paramiko.SSHClient | None = None

    def write(self, number: int, text: str) -> None:
        """Add a line to a file at home, and wait until it is on the disk."""
        del number
        self._run(f"echo {shlex.quote(text)} >> {CANARY} && sync {CANARY}")

    def read(self, first: int) -> list[str]:
        """Return the lines of that file."""
        lines = self._run(f"cat {CANARY} 2>/dev/null || true").splitlines()
        return [line for line in lines if line.startswith("canary ") and not is_older(line, first)]

    def probe(self) -> str:
        """Write a file, read it back, remove it."""
        mark = secrets.token_hex(8)
        said = self._run(
            f"echo {mark} > .recovery-{mark} && cat .recovery-{mark} && rm .recovery-{mark} && id --user --name"
        )
        if said.split() != [mark, self._given["login"]]:
            raise UseError(f"a file came back as {said!r}")
        return f"{self._given['login']} logged in, wrote a file and read it back"

    def _run(self, command: str) -> str:
        try:
            _, output, errors = self._connected().exec_command(command, timeout=20)
            said, code = output.read().decode(errors="replace"), output.channel.recv_exit_status()
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise UseError(f"{self._given['name']} does not answer: {error}") from error
        if code != 0:
            raise UseError(f"{self._given['name']}: {errors.read().decode(errors='replace').strip()}")
        return said

    def _connected(self) -> paramiko.SSHClient:
        if self._client is None:
            given, client = self._given, paramiko.SSHClient()
            if not given["authority"]:
                raise UseError(f"nobody vouches for {given['name']}: its host key is not known")
            kind, key = given["authority"].split()[:2]
            known = KINDS[kind](data=base64.b64decode(key))
            place = given["address"] if given["port"] == 22 else f"[{given['address']}]:{given['port']}"
            client.get_host_keys().add(place, kind, known)
            client.connect(
                given["address"], given["port"], given["login"], given["password"],
                timeout=SECONDS, banner_timeout=SECONDS, auth_timeout=10, look_for_keys=False, allow_agent=False,
            )  # fmt: skip
            self._client = client
        return self._client

    def close(self) -> None:
        """Hang up."""
        if self._client:
            self._client.close()
        self._client = None


if __name__ == "__main__":
    talk(Person)
