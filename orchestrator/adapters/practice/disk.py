"""A host's disk: an overlay of what it has written, over its snapshots, over what all hosts share."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.adapters.practice.commands import run
from orchestrator.adapters.practice.files import write
from orchestrator.domain.errors import Kind, OrchestratorError

_SNAPSHOT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass(frozen=True)
class Disk:
    """The disk of the host whose files are in `home`. Except for `root`, it may change only while the host is
    stopped."""

    home: Path
    host: str

    @property
    def root(self) -> Path:
        """Where the overlay is mounted."""
        return self.home / "root"

    def begun(self) -> bool:
        """Return whether it has lower folders. From then on, it works over no others."""
        return (self.home / "base").exists()

    def lacks(self, path: str) -> bool:
        """Return whether the host has neither written nor removed a file at this path below its root."""
        own = [self._written, *(folder for folder in self._lower() if folder.is_relative_to(self.home))]
        return not any(os.path.lexists(folder / path) for folder in own)

    def begin(self, lower: tuple[Path, ...]) -> None:
        """Put it over these folders, uppermost first."""
        write(self.home / "base", "\n".join(map(str, lower)))

    def mount(self, label: str) -> None:
        """Mount the overlay at `root`, and mark the folders below as used."""
        lower = self._lower()
        self._finish_snapshot(lower[0])
        for folder in lower:
            if not folder.is_dir():
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"The disk of practice host {self.host} is based on {folder}, which is gone",
                    hint="orchestrator practice down --erase gives the site new disks.",
                )
            os.utime(folder)
        for folder in (self._written, self._work, self.root):
            folder.mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={':'.join(map(str, lower))},upperdir={self._written},workdir={self._work}"
        # The newer of the kernel's two mount interfaces accepts no options of more than 255 characters.
        run("env", "LIBMOUNT_FORCE_MOUNT2=always", "mount", "-t", "overlay", "-o", options, label, str(self.root))

    def unmount(self) -> None:
        """Leave nothing mounted in `home`."""
        for target in sorted(_mounts_below(self.home), reverse=True):
            run("umount", str(target))

    def snapshots(self) -> tuple[str, ...]:
        """Return the names of its snapshots, sorted."""
        folder = self.home / "snapshots"
        return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()

    def snapshot(self, name: str) -> None:
        """Save what has been written so far under this name, and write on top of it from now on."""
        if not _SNAPSHOT_NAME.fullmatch(name):
            raise OrchestratorError(
                Kind.INVALID, f"{name!r} cannot name a snapshot", hint="Use lower-case letters, digits and hyphens."
            )
        if name in self.snapshots():
            raise OrchestratorError(
                Kind.CONFLICT, f"Practice host {self.host} already has a snapshot {name}", hint="Choose another name."
            )
        lower = self._lower()
        self._finish_snapshot(lower[0])
        kept = self.home / "snapshots" / name
        write(kept / "base", "\n".join(map(str, lower)))
        self.begin((kept / "disk", *lower))
        self._finish_snapshot(kept / "disk")

    def restore(self, name: str) -> None:
        """Discard what has been written since the snapshot of this name."""
        kept = self.home / "snapshots" / name
        if not kept.is_dir():
            has = ", ".join(self.snapshots()) or "none"
            raise OrchestratorError(
                Kind.NOT_FOUND, f"Practice host {self.host} has no snapshot {name}", hint=f"It has: {has}."
            )
        self._finish_snapshot(self._lower()[0])
        self.begin((kept / "disk", *_paths(kept / "base")))
        for folder in (self._written, self._work):
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)

    @property
    def _written(self) -> Path:
        return self.home / "disk"

    @property
    def _work(self) -> Path:
        return self.home / "work"

    def _lower(self) -> tuple[Path, ...]:
        return _paths(self.home / "base")

    def _finish_snapshot(self, uppermost: Path) -> None:
        """Move what was written to the snapshot's folder, unless that is done."""
        if uppermost.is_relative_to(self.home) and not uppermost.exists():
            self._written.mkdir(exist_ok=True)
            self._written.rename(uppermost)
            shutil.rmtree(self._work, ignore_errors=True)


def _paths(file: Path) -> tuple[Path, ...]:
    return tuple(map(Path, file.read_text().splitlines()))


def _mounts_below(folder: Path) -> Iterator[Path]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # The kernel escapes a space in a path as \040, and so on.
        target = Path(line.split()[4].encode().decode("unicode_escape"))
        if target.is_relative_to(folder):
            yield target
