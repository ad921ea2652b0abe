"""The guard: runs one command and lets nothing of it outlive its worker.

`python -I -S guard.py SOCKET WORKSPACE COMMAND...` The worker listens on SOCKET and sends one message: its lease in
seconds, and a pipe that the command may read as `/dev/fd/N` (its number replaces `{fd}` in the arguments). After that
each byte is a sign of life; `K` means stop.

Ansible's workers call setsid(), so killing a process group is not enough, and a worker killed with SIGKILL cannot clean
up at all. The guard is a sub-reaper: every descendant, however detached, is found through /proc and killed, TERM then
KILL, when the connection ends, on `K`, or when no byte has come for LEASE seconds. Standard library only: it starts in
some 20 ms.
"""

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 1.0
STOPPED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def descendants(root: int) -> list[int]:
    """Ids of all living processes below `root`."""
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
    """Every descendant, TERM at first and KILL after the grace, until none is left."""
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
    """Seconds, counting also while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _start(command: list[str], pipe: int) -> "subprocess.Popen[bytes]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATOR_")}
    arguments = [argument.replace("{fd}", str(pipe)) for argument in command]
    child = subprocess.Popen(arguments, pass_fds=[pipe], start_new_session=True, env=environment)
    os.close(pipe)
    return child


def watch(child: "subprocess.Popen[bytes]", worker: socket.socket, lease: float) -> int:
    """The command's exit status, or STOPPED after its whole tree was killed."""
    ended = os.pidfd_open(child.pid)
    until = _boot_time() + lease
    while True:
        readable, _, _ = select.select([worker, ended], [], [], max(0.0, until - _boot_time()))
        if worker in readable:
            signs = worker.recv(64)
            if not signs or b"K" in signs:
                kill_all()
                return STOPPED
            until = _boot_time() + lease
        if ended in readable:
            status = child.wait()
            if status < 0:
                kill_all()  # the command was killed; what it had started was not
                return 128 - status
            return status
        if not readable and _boot_time() >= until:
            kill_all()
            return STOPPED


def main(path: str, workspace: str, command: list[str]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for sign in _SIGNALS:
        signal.signal(sign, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited by the command
    worker = socket.socket(socket.AF_UNIX)
    worker.connect(path)
    lease, descriptors, _, _ = socket.recv_fds(worker, 64, 1)
    status = watch(_start(command, descriptors[0]), worker, float(lease))
    if select.select([worker], [], [], 0)[0] and not worker.recv(64):
        shutil.rmtree(workspace, ignore_errors=True)  # the worker is gone and will not
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
