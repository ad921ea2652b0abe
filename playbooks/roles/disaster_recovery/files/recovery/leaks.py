"""Attempts to get out of the bubble, from within it.

The same from this host are their control: what fails from here, too, says nothing of the bubble.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from host import run
from leases import Drill

SECONDS = 3.0


def attempt(target: dict[str, Any]) -> dict[str, Any]:
    """Try to connect to one target, and say what happened."""
    try:
        with socket.create_connection((target["address"], target["port"]), timeout=SECONDS):
            return {**target, "blocked": False, "detail": "connected"}
    except ConnectionRefusedError:
        return {**target, "blocked": False, "detail": "refused by the other side, so it was reached"}
    except OSError as error:
        return {**target, "blocked": True, "detail": str(error)}


def attempts(drill: Drill, targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Try all targets at once, in a process that is inside the bubble's network, and then in one that is not."""
    itself = (sys.executable, __file__)
    inside = json.loads(run("ip", "netns", "exec", drill.name, *itself, text=json.dumps(targets)))
    outside = json.loads(run(*itself, text=json.dumps(targets)))
    return [{**one, "control": not other["blocked"]} for one, other in zip(inside, outside, strict=True)]


def main() -> None:
    """Be that process."""
    targets = json.load(sys.stdin)
    with ThreadPoolExecutor(max_workers=max(1, len(targets))) as pool:
        json.dump(list(pool.map(attempt, targets)), sys.stdout)


if __name__ == "__main__":
    main()
