"""What a task changed or would change, line by line, from Ansible's `--diff` output."""

import json
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any


def difference(result: Mapping[str, Any]) -> str:
    """The lines that begin with - and +, after the name of their file; for a loop, those of its items. Empty if Ansible
    reports none."""
    parts = [part for one in _told(result) if (part := _lines(one))]
    return "\n".join(dict.fromkeys(parts))


def _told(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = result.get("diff") or ()
    yield from (one for one in ([found] if isinstance(found, Mapping) else found) if isinstance(one, Mapping))
    for item in result.get("results") or ():
        if isinstance(item, Mapping):
            yield from _told(item)


def _lines(one: Mapping[str, Any]) -> str:
    before, after = _text(one.get("before")), _text(one.get("after"))
    # Two lines name the files; lines with @@ give the positions.
    differing = [line for line in [*unified_diff(before, after, n=0, lineterm="")][2:] if not line.startswith("@@")]
    if "prepared" in one:
        differing = str(one["prepared"]).splitlines()
    name = str(one.get("after_header") or one.get("before_header") or "")
    return "\n".join([name, *differing] if name and differing else differing)


def _text(side: Any) -> list[str]:
    """Modules report text, or properties by name."""
    if isinstance(side, Mapping):
        return [f"{name}: {json.dumps(value, default=str)}" for name, value in sorted(side.items())]
    return str(side or "").splitlines()
