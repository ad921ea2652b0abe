#!/usr/bin/python3
"""Shows the figures that measure.py writes into a file, over HTTP.

The page has status 200 if every check passed in the last measurement, and 503 otherwise; under /metrics it always has
200.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

STALE = 9000.0
"""Seconds after which a measurement says nothing any more: two were missed."""


def page_of(file: Path) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests."""

    class Page(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            text = file.read_text() if file.exists() and time.time() - file.stat().st_mtime < STALE else ""
            well = "security_score_ratio 1.0" in text.splitlines()
            self.send_response(200 if well or self.path == "/metrics" else 503)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing: probes come all the time."""

    return Page


if __name__ == "__main__":
    HTTPServer((sys.argv[1], int(sys.argv[2])), page_of(Path(sys.argv[3]))).serve_forever()
