"""What practice sites share and can rebuild: base trees, package layers, and downloaded packages."""

import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.adapters.practice.commands import run

Progress = Callable[[str], None]

_PARTS = (".partial", ".work", ".root")
"""Suffixes of the temporary files beside a tree under construction."""
_KEPT_SECONDS = 30 * 86_400
"""How long an unused tree or package is kept."""


@dataclass(frozen=True)
class Cache:
    """A folder of finished trees. A tree gets its name only when it is complete, and never changes afterwards."""

    folder: Path

    def tree(self, name: str, build: Callable[[Path, int], None], *, what: str, progress: Progress) -> Path:
        """Return the tree of this name. If it is missing, `build` creates it in the folder it is given.

        A tree has one builder at a time; others wait. `build` also gets a descriptor that its child processes must keep
        open: while any process has it, nobody else builds. Remains of killed builders are removed.
        """
        tree = self.folder / name
        if not tree.is_dir():
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
            with self._only_builder(name, what, progress) as lock:
                if not tree.is_dir():
                    self._remove_parts(name)
                    partial = self.folder / f"{name}.partial"
                    try:
                        build(partial, lock)
                        partial.rename(tree)
                    finally:
                        self._remove_parts(name)
        os.utime(tree)
        return tree

    def prune(self, keep: Collection[Path]) -> None:
        """Remove what is unused for a month and not mounted by a host, and the remains of killed builders."""
        mounted = Path("/proc/mounts").read_text()
        old = time.time() - _KEPT_SECONDS
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            name = path.name.partition(".")[0]
            unfinished = path.suffix in _PARTS
            unused = path.name.startswith(("base-", "packages-")) and path not in keep and str(path) not in mounted
            if unfinished or (unused and path.stat().st_mtime < old):
                with self._if_nobody_builds(name) as free:
                    if free:
                        _remove(path)
        for package in (self.folder / "archives").glob("*.deb"):
            with suppress(FileNotFoundError):
                if package.stat().st_mtime < old:
                    package.unlink()

    @contextmanager
    def _only_builder(self, name: str, what: str, progress: Progress) -> Iterator[int]:
        with (self.folder / "locks" / name).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress(f"waiting for {what}, which another command is building")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()

    @contextmanager
    def _if_nobody_builds(self, name: str) -> Iterator[bool]:
        (self.folder / "locks").mkdir(exist_ok=True)
        with (self.folder / "locks" / name).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _remove_parts(self, name: str) -> None:
        for suffix in _PARTS:
            _remove(self.folder / f"{name}{suffix}")


def _remove(path: Path) -> None:
    # --one-file-system: if a killed build has left a mount, the removal stops there.
    run("rm", "--recursive", "--force", "--one-file-system", "--", str(path))
