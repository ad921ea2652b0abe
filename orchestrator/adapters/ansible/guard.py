"""The guard: runs one command and makes sure that nothing of it outlives its worker.

`python -I -S guard.py SOCKET WORKSPACE COMMAND...` The worker listens on SOCKET and sends one message: its lease in
seconds, and a pipe that the command may read as `/dev/fd/N` (its number replaces `{fd}` in the arguments). After that
each byte is a sign of life; `K` means stop.

Ansible's workers call setsid(), so killing a process group is not enough, and a worker killed with SIGKILL cannot clean
up at all. The guard is a sub-reaper: every descendant, however detached, is found through /proc and killed, TERM then
KILL, when the connection ends, on `K`, or when no byte has arrived for LEASE seconds. It consists of two processes, one
the parent of the other: if one is killed, the other kills the tree. Standard library only, so that it starts in about
20 ms.
"""

import ctypes
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 1.0
STOPPED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def descendants(root: int) -> list[int]:
    """Ids of all live processes below `root`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            state, parent = stat[stat.rindex(")") + 2 :].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.name))
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def kill_all() -> None:
    """Kill every descendant, with TERM first and KILL after the grace period, until none is left."""
    patience = time.monotonic() + GRACE_SECONDS
    while alive := descendants(os.getpid()):
        sign = signal.SIGTERM if time.monotonic() < patience else signal.SIGKILL
        for pid in alive:
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        _reap()
    _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _boot_time() -> float:
    """Seconds since boot, including time suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def spawned(command: list[str], pipe: int) -> int:
    """Start the command in its own session with the pipe open. Returns its process id."""
    os.set_inheritable(pipe, True)  # noqa: FBT003
    arguments = [argument.replace("{fd}", str(pipe)) for argument in command]
    restored = [signal.SIGPIPE, signal.SIGXFSZ]  # Python ignores these
    return os.posix_spawn(arguments[0], arguments, without_settings(os.environ), setsid=True, setsigdef=restored)


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the orchestrator's own settings, which may hold its database password."""
    return {name: value for name, value in environment.items() if not name.startswith("ORCHESTRATOR_")}


def _watch(pid: int, worker: socket.socket, lease: float, *, leashes: Sequence[int]) -> int:
    """The command's exit status, or STOPPED after its whole tree was killed."""
    ended = os.pidfd_open(pid)
    until = _boot_time() + lease
    while True:
        readable, _, _ = select.select([worker, ended, *leashes], [], [], max(0.0, until - _boot_time()))
        if worker in readable:
            signs = worker.recv(64)
            if not signs or b"K" in signs:
                break
            until = _boot_time() + lease
        if ended in readable:
            return _ended(pid)
        if any(leash in readable for leash in leashes) or (not readable and _boot_time() >= until):
            break
    kill_all()
    return STOPPED


def _ended(pid: int) -> int:
    """The exit status of a command that ended. If it was killed, what it started is killed too."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status >= 0:
        return status
    kill_all()
    return 128 - status


def _become_subreaper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _guard(path: str, workspace: str, *, start: Callable[[int], int], leashes: Sequence[int]) -> int:
    _become_subreaper()
    worker = socket.socket(socket.AF_UNIX)
    worker.connect(path)
    lease, [pipe], _, _ = socket.recv_fds(worker, 64, 1)
    pid = start(pipe)
    os.close(pipe)
    status = _watch(pid, worker, float(lease), leashes=leashes)
    if select.select([worker], [], [], 0)[0] and not worker.recv(64):
        shutil.rmtree(workspace, ignore_errors=True)  # the worker is gone and cannot do it
    return status


def guarded(path: str, workspace: str, *, start: Callable[[int], int], leashes: Sequence[int] = ()) -> int:
    """Run the command that `start` starts, given the pipe; `start` returns its process id. Returns the exit status, or
    128 + N if signal N ended it.

    If any of the `leashes` becomes readable, the command is stopped too.
    """
    for sign in SIGNALS:
        signal.signal(sign, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited by the command
    _become_subreaper()
    us = os.pidfd_open(os.getpid())
    guard = forked(lambda: _guard(path, workspace, start=start, leashes=[us, *leashes]))
    return _ended(guard)


def forked(work: Callable[[], int]) -> int:
    """Start a process that does only this work; its exit status is what the work returns. Returns its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = work()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(guarded(sys.argv[1], sys.argv[2], start=lambda pipe: spawned(sys.argv[3:], pipe)))
