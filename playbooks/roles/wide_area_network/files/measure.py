#!/usr/bin/python3
"""Measures an agency's ways to its branches and shows the figures over HTTP, in the text format of Prometheus.

Asked is each branch's gateway: at the address that its devices see, by the path that their packets take, and at the far
ends of both tunnels. The page has status 200 if every branch answered in the last measurement, and 503 otherwise; under
/metrics it always has 200.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PACKETS, APART_MS, PATIENCE_MS = 10, 200, 1000
ROUND, RETRY = 15.0, 2.0
"""Seconds from the end of a measurement to the next, and when something did not answer."""
STALE = 60.0
"""Seconds after which a measurement says nothing any more."""
THROUGHPUT_EVERY, THROUGHPUT_FOR = 3600.0, 2
HELP = {
    "wan_branch_up": "Whether the branch answered in the last measurement.",
    "wan_path_loss_ratio": "Packets without an answer, of the last measurement.",
    "wan_path_latency_seconds": "Median time there and back, of the last measurement.",
    "wan_branch_throughput_bytes_per_second": "Bytes a second from the hub to the branch by TCP, once an hour.",
    "wan_measured_timestamp_seconds": "When the last measurement ended.",
}


@dataclass
class Figures:
    """What is known, by name and labels. One thread writes, those of requests read."""

    branches: dict[str, dict[str, str]]
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: dict[tuple[str, str], float] = field(default_factory=dict)
    up: set[str] = field(default_factory=set)
    silent: bool = True
    """Whether something did not answer."""
    ended: float = 0.0
    """By the monotonic clock."""

    def note(self, found: dict[str, list[float | None]]) -> None:
        """Record the answers by address: seconds, or None without one."""
        known: dict[tuple[str, str], float] = {}
        up = {branch for branch, ends in self.branches.items() if any(found.get(ends["used"], ()))}
        for branch, ends in self.branches.items():
            known["wan_branch_up", f'branch="{branch}"'] = float(branch in up)
            for path, address in ends.items():
                answers = found.get(address, [None])
                times = sorted(one for one in answers if one is not None)
                labels = f'branch="{branch}",path="{path}"'
                known["wan_path_loss_ratio", labels] = 1 - len(times) / len(answers)
                if times:
                    known["wan_path_latency_seconds", labels] = times[len(times) // 2]
        known["wan_measured_timestamp_seconds", ""] = time.time()
        with self.lock:
            kept = {at: value for at, value in self.known.items() if at[0].startswith("wan_branch_throughput")}
            self.known, self.up, self.ended = {**known, **kept}, up, time.monotonic()
            self.silent = any(value == 1 for (name, _), value in known.items() if name == "wan_path_loss_ratio")

    def note_throughput(self, branch: str, rate: float) -> None:
        """Record the bytes a second to a branch."""
        with self.lock:
            self.known["wan_branch_throughput_bytes_per_second", f'branch="{branch}"'] = rate

    def shown(self) -> tuple[bool, str]:
        """Return whether every branch is up, and the page."""
        with self.lock:
            known, fresh = dict(self.known), time.monotonic() - self.ended < STALE and self.ended > 0
            well = fresh and self.up == set(self.branches)
        lines = []
        for name, text in HELP.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
            lines += [
                f"{name}{{{labels}}} {value!r}" if labels else f"{name} {value!r}"
                for (of, labels), value in sorted(known.items())
                if of == name and fresh
            ]
        return well, "\n".join(lines) + "\n"


def asked(addresses: list[str]) -> dict[str, list[float | None]]:
    """Send echo requests to all addresses at once; return the seconds until each answer, None without one."""
    if not addresses:
        return {}
    options = ["-q", "-C", str(PACKETS), "-p", str(APART_MS), "-t", str(PATIENCE_MS)]
    done = subprocess.run(["fping", *options, *addresses], capture_output=True, text=True, check=False, timeout=60)
    found: dict[str, list[float | None]] = {}
    for line in done.stderr.splitlines():
        address, colon, times = line.partition(" : ")
        if colon and address.strip() in addresses:
            found[address.strip()] = [None if one == "-" else float(one) / 1000 for one in times.split()]
    return found


def throughput(address: str) -> float | None:
    """Send for a few seconds by TCP; return the bytes a second that arrived, None if it could not be measured."""
    command = ["iperf3", "--client", address, "--time", str(THROUGHPUT_FOR), "--connect-timeout", "3000", "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        return float(json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]) / 8
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None


def measure(figures: Figures) -> None:
    """Measure for ever: each branch all the time, and the throughput of one of them when it is due."""
    due = dict.fromkeys(figures.branches, 0.0)
    while True:
        figures.note(asked([address for ends in figures.branches.values() for address in ends.values()]))
        late = sorted((at, branch) for branch, at in due.items() if branch in figures.up and at <= time.monotonic())
        for _, branch in late[:1]:
            rate = throughput(figures.branches[branch]["used"])
            due[branch] = time.monotonic() + (THROUGHPUT_EVERY if rate else ROUND)
            if rate:
                figures.note_throughput(branch, rate)
        time.sleep(RETRY if figures.silent or len(late) > 1 else ROUND)


def page_of(figures: Figures) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests."""

    class Page(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            well, text = figures.shown()
            self.send_response(200 if well or self.path == "/metrics" else 503)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing: probes come every minute."""

    return Page


def main() -> None:
    """Serve what is measured meanwhile."""
    given = json.loads(Path(sys.argv[1]).read_text())
    figures = Figures(given["branches"])
    server = ThreadingHTTPServer((given["address"], given["port"]), page_of(figures))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    measure(figures)


if __name__ == "__main__":
    main()
