"""A real PostgreSQL of the tests' own: in a temporary folder, on a free port, gone when the tests are."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

OWNER = "postgres"
"""Whom the server runs as when we are root: it refuses root."""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # survives the death of the server, which is what tests do to it
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "timezone": "Asia/Kathmandu",  # what is stored in UTC must come back in UTC whatever the server thinks
}


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL on this machine that we may start."""
    found = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if (p / "initdb").exists()]
    return max(found, key=lambda p: float(p.parent.name), default=None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Postgres:
    """The server, which a test may stop and start again. Every database is a copy of a template."""

    programs: Path
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="orchestrator-pg-")))
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    made: int = 0

    def create(self) -> None:
        """Make the cluster and start it."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, OWNER, OWNER)
        words = ["--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        command = self._command("initdb", f"--pgdata={self.data}", *words)
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)
        with (self.data / "postgresql.conf").open("a") as settings:
            lines = {**_SETTINGS, "port": self.port, "unix_socket_directories": self.folder}
            settings.writelines(f"{name} = '{value}'\n" for name, value in lines.items())
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start, and return when it answers."""
        with (self.folder / "log").open("ab") as log:
            command = self._command("postgres", "-D", str(self.data))
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop at once, whoever is connected: SIGINT in good order, SIGQUIT as in a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def erase(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    def database(self, *, template: str = "template1") -> str:
        """The URL of a new database."""
        self.made += 1
        name = f"test_{self.made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database; whoever is still connected is thrown out."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{url.rsplit("/", 1)[1]}" WITH (FORCE)'.encode())

    def _command(self, program: str, *arguments: str) -> list[str]:
        """As the unprivileged owner when we are root; it ends with us, however we end."""
        become = [f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups"] if os.geteuid() == 0 else []
        return ["setpriv", *become, "--pdeathsig=INT", str(self.programs / program), *arguments]
