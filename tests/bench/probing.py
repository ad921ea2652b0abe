"""What probing costs: the share of one core, and how late probes begin, by the number of services probed a minute.

A third of the services is asked by TCP, a third by HTTP over kept connections, a third by DNS; each has an address of
its own, so that no two share a connection. nginx and dnsmasq answer. The processor time is that of the prober's process
alone, records on SQLite included, in the second minute: in the first it also makes the connections that it keeps.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.store import SqlStore
from orchestrator.adapters.probes.pool import ProbePool
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget
from orchestrator.domain.selling.catalog import ProbeKind
from orchestrator.ports.figures import ProbeCounts
from orchestrator.ports.probing import Prepared
from orchestrator.usecases.probing.watching import Probing
from tests.adapters.probes.servers import free_port, listens, program, running
from tests.databases import migrate

SIZES = (100, 1_000, 10_000)
EVERY = timedelta(minutes=1)
KINDS = (ProbeKind.TCP, ProbeKind.HTTP, ProbeKind.DNS)


@dataclass(frozen=True)
class Fleet:
    """So many services, each at an address of its own."""

    size: int
    web: int
    names: int

    def targets(self) -> list[ProbeTarget]:
        return [self._target(n) for n in range(self.size)]

    def prepare(self, target: ProbeTarget) -> Prepared:
        return Prepared(target)

    def _target(self, n: int) -> ProbeTarget:
        kind, host = KINDS[n % 3], f"127.1.{n // 250}.{n % 250 + 1}"
        address = {
            ProbeKind.TCP: f"{host}:{self.web}",
            ProbeKind.HTTP: f"http://{host}:{self.web}/",
            ProbeKind.DNS: f"{host}:{self.names}/gateway.a1.example",
        }
        key = ProbeKey(f"a{n}", "network", kind.value)
        return ProbeTarget(key, kind, "bench", address[kind], EVERY, datetime(2026, 1, 1, tzinfo=UTC))


@contextmanager
def servers(folder: Path) -> Iterator[tuple[int, int]]:
    """Ports of nginx and dnsmasq on every address of this machine."""
    web, names = free_port(), free_port()
    (folder / "nginx.conf").write_text(f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors; worker_rlimit_nofile 30000;
        events {{ worker_connections 20000; }}
        http {{
            access_log off; keepalive_timeout 600; keepalive_requests 1000000;
            client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
            uwsgi_temp_path {folder}; scgi_temp_path {folder};
            server {{ listen 0.0.0.0:{web} backlog=4096; location / {{ return 200 fine; }} }}
        }}""")
    quiet = ("--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file=", "--user=", "--keep-in-foreground")
    record = ("--host-record=gateway.a1.example,10.64.1.1", f"--port={names}")
    with (
        running(program("nginx"), "-c", folder / "nginx.conf", "-e", folder / "errors", ready=lambda: listens(web)),
        running(program("dnsmasq"), *quiet, *record, ready=lambda: listens(names)),
    ):
        yield web, names


def measure(size: int, *, minutes: float = 1) -> Sequence[str]:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as name, servers(Path(name)) as (web, names):
        url = f"sqlite:///{name}/state.db"
        migrate(url)
        clock, counts = SystemClock(), ProbeCounts()
        watcher = Probing(SqlStore(connect(url)), clock, Fleet(size, web, names), "bench", counts)
        began, late, seen, marks = time.monotonic(), 0.0, 0, list[tuple[float, float, int]]()

        def stopping() -> bool:
            nonlocal late, seen
            passed = time.monotonic() - began
            read = sum(counts.readings.values())
            if read != seen and passed > 60 * (len(marks) * minutes + 1):  # as a beat has just counted
                marks.append((passed, time.process_time(), read))
            seen = read
            if marks:
                late = max(late, counts.late_seconds or 0.0)
            return len(marks) == 2

        ProbePool(watcher, clock, counts, 500).run(stopping)
    (first, cpu, read), (last, more_cpu, more_read) = marks
    share = (more_cpu - cpu) / (last - first)
    states = ", ".join(f"{count:,} {state.value}" for state, count in counts.readings.items() if count)
    each = (more_cpu - cpu) / max(more_read - read, 1)
    a_minute = (more_read - read) / (last - first) * 60
    return f"{size:,}", f"{a_minute:,.0f}", f"{share:.1%}", f"{each * 1e3:.2f} ms", f"{late:.2f} s", states


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Measure and print."""
    table = Table(title="Probing, a third each of TCP, HTTP and DNS", title_justify="left")
    for heading in ("services", "probes a minute", "of one core", "each", "latest begin", "in all"):
        table.add_column(heading, justify="right")
    for size in sizes:
        table.add_row(*measure(size))
    Console(width=120).print(table)


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
