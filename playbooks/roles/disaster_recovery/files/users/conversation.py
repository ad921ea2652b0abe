"""How the programs that use a service as its users do are talked to: a question a line, an answer a line, both JSON.

The first line says where the service is and whose: {address, authority, agency, hosts, allocation, parameters,
secrets}, the last five as the component's role knows them; authority is who vouches for the service, or nothing.
Questions after it: {"op": "describe" | "write" | "read" | "probe", ..}. Every answer has `ok`, and `detail` when that
is false. `describe` tells whether the service keeps canaries, and what time it is on the recovery host.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

Document = dict[str, Any]


class UseError(Exception):
    """The service did not do what its users rely on; the message says what."""


class User(Protocol):
    """Somebody who uses the service. Each method raises UseError, or OSError when nobody answers."""

    def probe(self) -> str:
        """Do one thing that users do, from beginning to end; return in words what it was."""


@runtime_checkable
class Keeper(User, Protocol):
    """Somebody for whom the service keeps lines of text."""

    def write(self, number: int, text: str) -> None:
        """Have a line kept. Returns when the service has acknowledged it."""

    def read(self, first: int) -> list[str]:
        """Return the lines kept, in order, without those that are older than a number."""


def is_older(text: str, first: int) -> bool:
    """Tell whether a line is a canary from before a number."""
    canary = re.match(r"canary (\d+) ", text)
    return canary is not None and int(canary[1]) < first


def answer(user: User, question: Document) -> Document:
    """Answer one question."""
    match question.get("op"):
        case "describe":
            return {"ok": True, "canary": isinstance(user, Keeper), "time": time.time()}
        case "write" if isinstance(user, Keeper):
            user.write(question["number"], question["text"])
            return {"ok": True}
        case "read" if isinstance(user, Keeper):
            return {"ok": True, "records": user.read(question["first"])}
        case "write" | "read":
            return {"ok": False, "detail": "unsupported"}
        case "probe":
            return {"ok": True, "detail": user.probe()}
        case other:
            raise UseError(f"there is no op {other!r}; there are describe, write, read and probe")


def talk(make: Callable[[Document], User]) -> None:
    """Answer every line until there is none."""
    user: User | None = None
    for line in sys.stdin:
        try:
            question = json.loads(line)
            if user is None:
                user = make(question)
                told: Document = {"ok": True}
            else:
                told = answer(user, question)
        except KeyError as error:
            told = {"ok": False, "detail": f"the question has no {error}"}
        except (UseError, OSError, EOFError, ValueError) as error:
            told = {"ok": False, "detail": str(error) or type(error).__name__}
        print(json.dumps(told), flush=True)  # noqa: T201
