"""The thin client: has a guard forked by the warm server, or starts a cold one in its own place.

`python -I -S forkclient.py SOCKET GUARD ARGUMENTS...` A fork of the server waits on SOCKET. It is sent the working
directory, the environment, the guard's arguments and our standard streams, and answers `READY`. Nothing has been
started until we say `GO`: whatever goes wrong before that, the guard is started cold. The one byte that follows is the
exit status. Standard library only: it starts in some 20 ms.
"""

import os
import socket
import sys

PATIENCE_SECONDS = 10.0
READY, GO = b"R", b"G"
LOST = 137
"""Exit status when the guard was killed: that of a killed command."""


def request(arguments: list[str]) -> bytes:
    """Working directory, arguments and environment, each ended by NUL, which none of them can contain."""
    environment = [f"{name}={value}" for name, value in os.environ.items()]
    folder = os.getcwd()  # noqa: PTH109 - pathlib costs milliseconds
    parts = [folder, str(len(arguments)), *arguments, *environment]
    return "\0".join(parts).encode(errors="surrogateescape")


def ask(path: str, arguments: list[str]) -> socket.socket | None:
    """The line to a fork that is ready to go, if there is one."""
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
    """Exit status of the guarded command."""
    line = ask(path, arguments)
    if line is None:
        os.execv(sys.executable, [sys.executable, "-I", "-S", guard, *arguments])  # noqa: S606
    status = line.recv(1)
    return status[0] if status else LOST


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
