"""What is reported of a task whose output is hidden (`no_log`): whether it changed anything, and for a failure, which
loop item failed and how."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ITEM = "runner_item_on_"
WHY_HIDDEN = "what it said is hidden, as it may hold secrets (no_log)"

_CHANGED = re.compile(r"(?:\x1b\[[0-9;]*m|\s)*changed: ")
_NUMBERS = {"rc": "its program ended with", "status": "it was answered with"}

Place = tuple[str, str]
"""A host and a task."""


@dataclass
class HiddenResults:
    """Counts the items of loops: a hidden item is known only by its index."""

    _ended: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    _failed: dict[Place, list[str]] = field(default_factory=lambda: defaultdict(list))
    _changed: set[Place] = field(default_factory=set)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take note of an event. Call this for every event, before asking about it."""
        if not str(event.get("event", "")).startswith(ITEM):
            return
        place = _place(event)
        self._ended[place] += 1
        if event["event"] == f"{ITEM}failed":
            self._failed[place].append(f"item {self._ended[place]} of its loop{_how(event)}")
        elif _says_changed(event):
            self._changed.add(place)

    def changed(self, event: Mapping[str, Any]) -> bool:
        """Whether a task that hides its output changed something."""
        return is_hidden(event) and (_says_changed(event) or _place(event) in self._changed)

    def message(self, event: Mapping[str, Any]) -> str | None:
        """The message of a failed task; None when nothing is hidden."""
        if event.get("event") not in ("runner_on_failed", "runner_on_unreachable") or not is_hidden(event):
            return None
        data = event.get("event_data") or {}
        action = str(data.get("task_action") or "the module").removeprefix("ansible.builtin.")
        items = self._failed.pop(_place(event), [])
        parts = [f"{action}, {item}" for item in items] or [f"{action}{_how(event)}"]
        return "\n".join([*parts, WHY_HIDDEN])


def is_hidden(event: Mapping[str, Any]) -> bool:
    """Whether the event is about a hidden result."""
    return "censored" in ((event.get("event_data") or {}).get("res") or {})


def _place(event: Mapping[str, Any]) -> Place:
    data = event.get("event_data") or {}
    return str(data.get("host")), str(data.get("task_uuid"))


def _says_changed(event: Mapping[str, Any]) -> bool:
    """Judged by the line that Ansible prints for any result, hidden or not."""
    return bool(_CHANGED.match(str(event.get("stdout") or "")))


def _how(event: Mapping[str, Any]) -> str:
    """How it failed, by the numbers left in Ansible's output of a hidden result."""
    printed = str(event.get("stdout") or "")
    found = {words: re.search(rf'"{name}": (-?\d+)', printed) for name, words in _NUMBERS.items()}
    told = [f"{words} {number[1]}" for words, number in found.items() if number]
    return f": {', '.join(told)}" if told else " failed"
