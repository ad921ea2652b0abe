"""Lists of the people who may dial in to an agency's access server: their passwords, codes and accounts."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

NAME = re.compile(r"[a-z][a-z0-9-]*")
KIND = "HOTP/T30"
"""What a line of pam_oath's file begins with for codes that change every thirty seconds."""
ACCOUNT = "{name}:x:{number}:65534::/nonexistent:/usr/sbin/nologin\n"
NOBODY = 65534
STALE_SECONDS = 5
"""After which a lock is one of a process that was killed."""
LISTS = {
    "folder": {"type": "path", "required": True},
    "state": {"type": "path", "required": True},
    "control": {"type": "path", "required": True},
    "number": {"type": "int", "required": True},
}
"""Options of modules that describe an agency's lists."""


@dataclass(frozen=True)
class Login:
    """What somebody logs in with: the digest of a password, and the key of one-time codes in hexadecimal."""

    password: str
    key: str


@dataclass(frozen=True)
class Lists:
    """The lists of one agency. `folder` has passwords and accounts, `state` the codes, which the server changes."""

    folder: Path
    state: Path
    control: Path
    number: int

    @classmethod
    def of(cls, given: dict[str, Any]) -> Lists:
        """Return the lists that a module's options describe."""
        return cls(Path(given["folder"]), Path(given["state"]), Path(given["control"]), given["number"])

    @property
    def _codes(self) -> Path:
        return self.state / "codes"

    @property
    def _lock(self) -> Path:
        return self.state / "codes.lock"

    @property
    def _new_codes(self) -> Path:
        return self.state / "codes.new"

    def people(self) -> dict[str, Login]:
        """Return who may log in. Who has only a password or only a key may not, and is there with what is missing
        empty."""
        passwords = dict(line.partition(":")[::2] for line in _lines(self.folder / "passwords"))
        keys = {name: line.split("\t")[3] for name, line in self._states().items()}
        return {name: Login(passwords.get(name, ""), keys.get(name, "")) for name in {**passwords, **keys}}

    def accounts_differ(self, names: list[str]) -> bool:
        """Whether the accounts are others than those of these people."""
        return "".join(f"{line}\n" for line in _lines(self.folder / "accounts")) != self._accounts(names)

    def write(self, people: dict[str, Login]) -> None:
        """Let these people in and nobody else. Codes that were used stay used. Call it inside of `locked`."""
        for name in people:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the name of a person")
        found = self._states()
        kept = {
            name: line for name, line in found.items() if name in people and line.split("\t")[3] == people[name].key
        }
        codes = [kept.get(name) or f"{KIND}\t{name}\t-\t{one.key}" for name, one in people.items()]
        # Without a password nobody gets as far as the code, so the server may lose this change to one of its own.
        _replace(self.folder / "passwords", "".join(f"{name}:{one.password}\n" for name, one in people.items()))
        _replace(self._codes, "".join(f"{line}\n" for line in codes))
        self._write_accounts(list(people))
        for tally in (self.state / "failures").glob("*"):
            if tally.name not in people:
                tally.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the server from changing its file of codes meanwhile. While the lock is there, no code is accepted."""
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.state.parent.mkdir(mode=0o755, exist_ok=True)
        self.state.mkdir(mode=0o700, exist_ok=True)
        since = time.monotonic()
        while True:
            try:
                os.close(os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                break
            except FileExistsError:
                if time.monotonic() - since > STALE_SECONDS:
                    self._lock.unlink(missing_ok=True)
                time.sleep(0.01)
        try:
            self._new_codes.unlink(missing_ok=True)
            yield
        finally:
            self._lock.unlink()

    def is_stuck(self) -> bool:
        """Whether a process that was killed has left a file that keeps every code from being accepted."""
        left = [path for path in (self._lock, self._new_codes) if path.exists()]
        return any(time.time() - path.stat().st_mtime > STALE_SECONDS for path in left)

    def _states(self) -> dict[str, str]:
        """Return the lines of the file of codes by name. Beside the key each has which code was used last."""
        lines = (line for line in _lines(self._codes) if line.count("\t") >= 3)
        return {line.split("\t")[1]: line for line in lines}

    def _accounts(self, names: list[str]) -> str:
        own = ACCOUNT.format(name="access", number=self.number)
        return (
            "root:x:0:0::/root:/bin/sh\n" + own + "".join(ACCOUNT.format(name=n, number=NOBODY) for n in sorted(names))
        )

    def _write_accounts(self, names: list[str]) -> None:
        """Write in place, because the server sees the file that was there as it started."""
        path, text = self.folder / "accounts", self._accounts(names)
        with path.open("r+" if path.exists() else "w") as file:
            file.write(text)
            file.truncate()


def sessions(module: AnsibleModule, lists: Lists) -> list[dict[str, Any]]:
    """Return who is connected, as the server tells; nobody if it does not run."""
    if not lists.control.exists():
        return []
    status, told, errors = module.run_command(["occtl", "--socket-file", str(lists.control), "--json", "show", "users"])
    if status != 0:
        raise OSError(f"the server does not say who is connected: {errors or told}")
    # Who only asks for the login page is among them, without a name.
    return [one for one in json.loads(told) if one["State"] == "connected"]


def end(module: AnsibleModule, lists: Lists, found: list[dict[str, Any]]) -> None:
    """Disconnect sessions."""
    for one in found:
        module.run_command(["occtl", "--socket-file", str(lists.control), "disconnect", "id", str(one["ID"])])


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.ours")
    new.touch(mode=0o600)
    new.write_text(text)
    new.rename(path)
