"""The command line, each command in a process of its own that has imported the program already.

Importing the program is most of what a short command costs, and tests run more than a thousand. A server imports it
once and forks for each command: `python -m tests.commands DESCRIPTOR`. It has run none itself, so every command starts
from the same untouched process. What tests say about starting and killing commands they say about real starts
(`python -m orchestrator`).
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

import orchestrator

ROOT = Path(__file__).parent.parent
LARGEST_MESSAGE = 2**17
NOT_IMPORTED = ("__main__", ".migrations", ".callbacks")
"""Modules that are programs, or that other programs import."""
LATER = ("alembic.command", "alembic.config", "bcrypt", "dbos", "holidays", "jsonschema_rs", "rich.table")
"""Packages that commands import as they need them."""


def run_command(
    words: Sequence[object], environment: Mapping[str, str], *, patience: float
) -> "subprocess.CompletedProcess[str]":
    """Run one command in the current folder, and return its exit code and what it printed. Raises TimeoutExpired after
    `patience` seconds, when the command has been killed."""
    arguments = [str(word) for word in words]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                message = json.dumps([arguments, dict(environment), str(Path.cwd())]).encode()
                socket.send_fds(_server(), [message], [out.fileno(), err.fileno(), theirs.fileno()])
            pid = int(ours.recv(32))
            if not select.select([ours], [], [], patience)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, patience)
            code = int(ours.recv(32))
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


@cache
def _server() -> socket.socket:
    """The server of this process. It ends with the process, as the other end of its socket closes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "tests.commands", str(theirs.fileno())], cwd=ROOT, pass_fds=[theirs.fileno()]
        )
    return ours


def preload() -> None:
    """Import what commands import, and have no fork collect it."""
    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if not any(part in module.name for part in NOT_IMPORTED):
            importlib.import_module(module.name)
    for name in LATER:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def serve(client: socket.socket) -> None:
    """Fork for each command that the client sends, until the client is gone. Returns in each command's process."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(client, LARGEST_MESSAGE, 3)
        if not descriptors:
            os._exit(0)
        if os.fork() == 0:
            client.close()
            if _command(message, *descriptors):
                return
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _command(message: bytes, out: int, err: int, answer: int) -> bool:
    """Become the command's process, and return true there. The process in between answers how it ended."""
    pid = os.fork()
    if pid:
        with socket.socket(fileno=answer) as client:
            client.send(str(pid).encode())
            _, status = os.waitpid(pid, 0)
            client.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.close(answer)
    for standard, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    arguments, environment, folder = json.loads(message)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["orchestrator", *arguments]
    return True


def leave(code: int) -> NoReturn:
    """End the process, but do not take the interpreter apart, which costs as much as a short command."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    from orchestrator.entrypoints.cli.app import main

    preload()
    serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        main()
    except SystemExit as leaving:
        leave(int(leaving.code or 0))
