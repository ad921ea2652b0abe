"""A new password for a writer's repository, whose old one is worth nothing afterwards."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import receipts
from host import run
from leases import DrillError
from secret_pipe import piped


@dataclass(frozen=True)
class Repository:
    """A writer's repository, and the system user it belongs to."""

    place: Path
    user: str

    def replace(self, *, old: str, new: str, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Have the new password open the repository and the old one not; return the keys that are left.

        `keys` are those that the repository is known to have. What a try that was interrupted has done is not done
        again. Raises when there are others still: somebody added them, and people have to look.
        """
        with self._alone():
            added = self._key_of(new)
            if strange := sorted(set(receipts.strange_keys(self.place, keys)) - {added}):
                names = ", ".join(strange)
                raise DrillError(f"the repository of {self.place.name} has keys that it was not made with: {names}")
            if added is None:
                with self._told(old, new) as (opens, opened):
                    add = ["key", "add", "--new-password-file", f"/dev/fd/{opened}"]
                    run(*self._restic(opens), *add, descriptors=[opens, opened])
                added = self._key_of(new)
            for key in sorted(self._keys() - {added}):
                with self._told(new) as (opens,):
                    run(*self._restic(opens), "key", "remove", key, descriptors=[opens])
            return tuple(sorted(self._keys()))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for retention, and for drills that freeze a repository."""
        lock = os.open(self.place.parent.parent / "lock", os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _told(self, *passwords: str) -> Iterator[list[int]]:
        """Passwords in pipes that the user may read."""
        with ExitStack() as pipes:
            held = [pipes.enter_context(piped(password)) for password in passwords]
            for descriptor in held:
                os.fchown(descriptor, pwd.getpwnam(self.user).pw_uid, -1)
            yield held

    def _restic(self, password: int) -> list[str]:
        access = ["--repo", str(self.place), "--password-file", f"/dev/fd/{password}"]
        return ["runuser", "-u", self.user, "--", "restic", "--no-cache", *access]

    def _keys(self) -> set[str]:
        return {file.name for file in (self.place / "keys").iterdir()}

    def _key_of(self, password: str) -> str | None:
        """Return the key that a password opens; None when it opens none."""
        with self._told(password) as (opens,):
            command = [*self._restic(opens), "key", "list", "--json", "--no-lock"]
            done = subprocess.run(command, pass_fds=[opens], cwd="/", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            if "wrong password" in done.stderr:
                return None
            raise DrillError(f"the keys of {self.place.name} cannot be read: {done.stderr.strip()}")
        current = next(key["id"] for key in json.loads(done.stdout) if key["current"])
        # A key is listed by the beginning of its name.
        return next(name for name in self._keys() if name.startswith(current))
