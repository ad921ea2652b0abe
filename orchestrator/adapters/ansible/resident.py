"""The resident: a Python that stays on a host between tasks, has imported what modules import, and forks for each task.

Runs on hosts, from the zip of a module that Ansible sends there, with nothing but Python's own library. A task's
command (`quick_modules.by_resident`) asks the resident by a socket in a folder that only root can enter, and hands over
its standard streams, working directory, umask and environment. The fork reads the module from standard input and runs
it, as the command would have done itself, and does when there is no resident. So a task's arguments and secrets are
only in its own fork. The resident exits when it is idle, and at the latest when its life is over.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
import types
import zipimport
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec

IDLE_SECONDS = 60
LIFE_SECONDS = 600
"""A host's packages are upgraded under a resident, which imports parts of Python's library late."""
PATIENCE_SECONDS = 5
CALLER = "ORCHESTRATOR_CALLER"
"""The variable that tells a task the process that asked for it: what it would be a descendant of."""
READY, ACCEPTED = b"?", b"+"
PRELOADED = (
    "ansible.module_utils.basic",
    "ansible.module_utils._internal._ansiballz._loader",
    *("base64", "dataclasses", "datetime", "hashlib", "json", "pathlib", "re", "runpy", "shlex", "shutil"),
    *("stat", "subprocess", "tempfile", "urllib.parse", "zipfile"),
)
KEPT = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "PATH")
"""Of the environment of the task that starts a resident."""
_BEGIN = "import sys; sys.path.insert(0, sys.argv[1]); import orchestrator_resident as r; r.main()"


def start(name: str, packed: bytes) -> None:
    """Start a resident that works from this zip in the folder `name`, unless one does already. Only root has one."""
    if os.geteuid() != 0:
        return
    folder = Path(name)
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return
    archive = folder / "modules.zip"
    archive.write_bytes(packed)
    if child := os.fork():
        os.close(lock)
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            _release_all_but(lock)
            kept = {name: os.environ[name] for name in KEPT if name in os.environ}
            arguments = [sys.executable, "-c", _BEGIN, str(archive), name, str(lock)]
            os.execve(sys.executable, arguments, kept)  # noqa: S606
    finally:
        os._exit(0)


def _release_all_but(descriptor: int) -> None:
    """Whoever waits for the end of our streams, waits for the task only."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
    os.set_inheritable(descriptor, True)  # noqa: FBT003
    os.chdir("/")


def main() -> None:
    """Serve. The lock that came as a descriptor is held until the process ends, and by no fork."""
    archive, folder, descriptor = sys.argv[1:]
    lock, address = int(descriptor), Path(folder, "socket")
    os.set_inheritable(lock, False)  # noqa: FBT003
    _preload(archive)
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen(64)
        task = Resident(listener).serve(retire=address.unlink)
    if task is not None:
        os.close(lock)
        os._exit(_run(task))


class Resident:
    """Forks for each task that connects, and tells whoever asked how it ended."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.running: dict[int, socket.socket] = {}

    def serve(self, retire: Callable[[], None]) -> bytes | None:
        """Return None when the life is over. In a fork, return what came with its task."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        end, open_to_all = time.monotonic() + LIFE_SECONDS, True
        while open_to_all or self.running:
            ready, _, _ = select.select([woken, *([self.listener] if open_to_all else [])], [], [], IDLE_SECONDS)
            if woken in ready:
                os.read(woken, 512)
                self._tell_ended()
            if self.listener in ready:
                connection, _ = self.listener.accept()
                with connection:
                    if (task := self._take(connection)) is not None:
                        return task
            if open_to_all and (time.monotonic() > end or not (ready or self.running)):
                retire()
                open_to_all = False
        return None

    def _take(self, connection: socket.socket) -> bytes | None:
        """Return the task in its fork; None in the resident, or if whoever asked has gone."""
        try:
            connection.settimeout(PATIENCE_SECONDS)
            connection.sendall(READY)
            message, streams, _, _ = socket.recv_fds(connection, 1 << 18, 3)
        except OSError:
            return None
        try:
            if len(streams) != 3:
                return None
            if child := os.fork():
                self.running[child] = connection.dup()
                return None
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.listener.close()
            for other in self.running.values():
                other.close()
            for standard, descriptor in enumerate(streams):
                os.dup2(descriptor, standard)
            connection.sendall(ACCEPTED)
            return message + b"\0%s=%d" % (CALLER.encode(), _process_at(connection))
        finally:
            for descriptor in streams:
                os.close(descriptor)

    def _tell_ended(self) -> None:
        while self.running:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            with self.running.pop(child) as connection, contextlib.suppress(OSError):
                code = os.waitstatus_to_exitcode(status)
                connection.sendall(bytes([code if code >= 0 else 128 - code]))


def _process_at(connection: socket.socket) -> int:
    """Return the id of the process at the other end (unix(7), SO_PEERCRED)."""
    return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)


def _preload(archive: str) -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    # What is not imported yet comes from the zip of the task, which may differ from ours.
    sys.path.remove(archive)
    sys.path_importer_cache.pop(archive, None)
    for name, module in sys.modules.items():
        if name.partition(".")[0] == "ansible" and hasattr(module, "__path__"):
            module.__path__ = []
    sys.meta_path.append(_InTasksZip())
    gc.collect()
    gc.freeze()


class _InTasksZip:
    """Finds parts of packages that the resident has imported in the zip that the task put first."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where it is, None if it is not in one."""
        del path
        folder = name.rpartition(".")[0].replace(".", "/")
        if not name.startswith("ansible.") or not sys.path[0].endswith(".zip"):
            return None
        try:
            return zipimport.zipimporter(f"{sys.path[0]}/{folder}").find_spec(name, target)
        except zipimport.ZipImportError:
            return None


def _run(message: bytes) -> int:
    """Run the module on standard input. Returns its exit status."""
    folder, umask, *pairs = message.split(b"\0")
    os.umask(int(umask))
    os.environ.clear()
    os.environb.update((name, value) for name, _, value in (pair.partition(b"=") for pair in pairs))
    time.tzset()
    with contextlib.suppress(OSError):
        os.chdir(folder)
    sys.argv = ["-c"]
    sys.modules["__main__"] = program = types.ModuleType("__main__")
    try:
        exec(compile(sys.stdin.buffer.read(), "<stdin>", "exec"), program.__dict__)  # noqa: S102
        status = 0
    except SystemExit as end:
        status = _status(end.code)
    except BaseException:
        traceback.print_exc()
        status = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return status


def _status(code: str | int | None) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1
