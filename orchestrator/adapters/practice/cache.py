"""What practice sites share and can build again: base trees, package layers, and the packages they were made of."""

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
"""What a tree that is being built has beside it."""
_KEPT_SECONDS = 30 * 86_400
"""How long a tree or a package is kept that nobody has used."""


@dataclass(frozen=True)
class Cache:
    """A folder of finished trees. A tree has its name only once it is whole, and never changes from then on."""

    folder: Path

    def tree(self, name: str, build: Callable[[Path, int], None], *, what: str, progress: Progress) -> Path:
        """Return the tree of this name, which `build` makes in the folder it is given if the cache has none.

        One builder of a tree at a time; the others wait. `build` also gets a descriptor to keep open in what it starts:
        as long as any process has it, nobody else builds. What a builder that was killed has left is removed.
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
        """Remove what nobody has used for a month and no host is mounted on, and what killed builders have left."""
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
    # --one-file-system: should a killed build have left a mount, the removal stops at it.
    run("rm", "--recursive", "--force", "--one-file-system", "--", str(path))
