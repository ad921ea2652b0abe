"""The thin client: asks the warm server to fork a guard, or replaces itself with a cold one.

`python -I -S forkclient.py SOCKET GUARD ARGUMENTS...` A fork of the server waits on SOCKET. The client sends it the
working directory, the environment, the guard's arguments and its standard streams, and the fork answers `READY`.
Nothing starts until the client sends `GO`: if anything fails before that, the guard starts cold. The one byte that
follows is the exit status. Standard library only, so that it starts in about 20 ms.
"""

import os
import socket
import sys

PATIENCE_SECONDS = 10.0
READY, GO = b"R", b"G"
LOST = 137
"""Exit status when the guard was killed: the same as for a killed command."""


def request(arguments: list[str]) -> bytes:
    """The working directory, arguments and environment, each terminated by NUL, which none of them can contain."""
    environment = [f"{name}={value}" for name, value in os.environ.items()]
    folder = os.getcwd()  # noqa: PTH109 - pathlib costs milliseconds
    parts = [folder, str(len(arguments)), *arguments, *environment]
    return "\0".join(parts).encode(errors="surrogateescape")


def ask(path: str, arguments: list[str]) -> socket.socket | None:
    """The connection to a fork that is ready, or None."""
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE_SECONDS)
    try:
        line.connect(path)
        body = request(arguments)
        socket.send_fds(line, [len(body).to_bytes(4, "big")], [0, 1, 2])
        line.sendall(body)
        if line.recv(1) == READY:
            line.sendall(GO)
            line.settimeout(None)
            return line
    except OSError:
        pass
    line.close()
    return None


def main(path: str, guard: str, arguments: list[str]) -> int:
    """Run the guarded command and return its exit status."""
    line = ask(path, arguments)
    if line is None:
        os.execv(sys.executable, [sys.executable, "-I", "-S", guard, *arguments])  # noqa: S606
    status = line.recv(1)
    return status[0] if status else LOST


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
