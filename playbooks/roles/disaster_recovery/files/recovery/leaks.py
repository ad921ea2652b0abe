"""Attempts to get out of the bubble, from within it.

The same from this host are their control: what fails from here, too, says nothing of the bubble. A restored copy may
have addresses of the live service, so that whoever asks for one inside is answered by the copy: such an attempt is sent
out by the bubble's link to this host, as whatever gets out would be.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bubble import LINK
from host import run
from leases import Drill

SECONDS = 3.0


def attempt(target: dict[str, Any], link: str | None = None) -> dict[str, Any]:
    """Try to connect to one target, by a link if need be, and say what happened."""
    try:
        with socket.socket() as connection:
            connection.settimeout(SECONDS)
            if link:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
            connection.connect((target["address"], target["port"]))
            return {**target, "blocked": False, "detail": "connected"}
    except ConnectionRefusedError:
        return {**target, "blocked": False, "detail": "refused by the other side, so it was reached"}
    except OSError as error:
        return {**target, "blocked": True, "detail": str(error)}


def attempts(drill: Drill, targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Try all targets at once, in a process that is inside the bubble's network, and then in one that is not."""
    told = run("ip", "-netns", drill.name, "-json", "address")
    own = {address["local"] for link in json.loads(told) for address in link.get("addr_info", ())}
    asked = json.dumps([[target, LINK if target["address"] in own else None] for target in targets])
    itself = (sys.executable, __file__)
    inside = json.loads(run("ip", "netns", "exec", drill.name, *itself, text=asked))
    outside = json.loads(run(*itself, text=json.dumps([[target, None] for target in targets])))
    return [{**one, "control": not other["blocked"]} for one, other in zip(inside, outside, strict=True)]


def main() -> None:
    """Be that process: [target, link] of each."""
    asked = json.load(sys.stdin)
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        json.dump(list(pool.map(lambda one: attempt(*one), asked)), sys.stdout)


if __name__ == "__main__":
    main()
