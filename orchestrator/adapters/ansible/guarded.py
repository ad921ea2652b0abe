"""The worker's side of the guards: gives each its input, keeps them alive, and stops them."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LEASE_SHARE = 0.7
"""A guard kills its command after this share of the worker's lease, so that it is done before a successor starts."""


class Guards:
    """All guards of this worker."""

    def __init__(self, *, lease_seconds: float) -> None:
        self._lease = lease_seconds * LEASE_SHARE
        self._connections: set[socket.socket] = set()
        self.stopping = False

    def renew(self) -> None:
        """Send every guard a sign of life. Call this whenever the worker has renewed its lease."""
        self._tell(b".")

    def stop_all(self) -> None:
        """Kill everything that runs or starts from now on: the worker is stopping."""
        self.stopping = True
        self._tell(b"K")

    @contextmanager
    def expecting(self, path: Path, password: bytes) -> Iterator["GuardLine"]:
        """Listen at `path` for one guard and hand it `password` through a pipe."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            line = GuardLine()
            thread = threading.Thread(target=self._welcome, args=(listener, password, line), daemon=True)
            thread.start()
            try:
                yield line
            finally:
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                thread.join()
                if line.connection:
                    self._connections.discard(line.connection)
                    line.connection.close()

    def _welcome(self, listener: socket.socket, password: bytes, line: "GuardLine") -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        reader, writer = os.pipe()
        os.write(writer, password)
        os.close(writer)
        socket.send_fds(connection, [str(self._lease).encode()], [reader])
        os.close(reader)
        self._connections.add(connection)
        line.connected(connection)
        if self.stopping:
            line.stop()

    def _tell(self, sign: bytes) -> None:
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.sendall(sign)


class GuardLine:
    """The connection to one guard. It may be asked to stop even before it has connected."""

    def __init__(self) -> None:
        self.connection: socket.socket | None = None
        self._stop = False
        self._mutex = threading.Lock()

    def connected(self, connection: socket.socket) -> None:
        with self._mutex:
            self.connection = connection
            if self._stop:
                connection.sendall(b"K")

    def stop(self) -> None:
        """Kill the command and everything below it; the guard exits when all are dead."""
        with self._mutex:
            self._stop = True
            if self.connection:
                with suppress(OSError):
                    self.connection.sendall(b"K")
