"""Translates raw runner events to domain events, and a finished runner to an outcome."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from orchestrator.adapters.ansible.difference import difference
from orchestrator.adapters.ansible.hidden import HiddenResults, is_hidden
from orchestrator.adapters.ansible.redaction import Redactor
from orchestrator.domain.events import StepPrinted, TaskFinished
from orchestrator.domain.runs.run import Counts, StepOutcome, StepState

Outcome = Literal["ok", "changed", "skipped", "failed", "ignored", "unreachable"]

MESSAGE_LIMIT = 2_000
PRINTED_LIMIT = 50_000
DIFFERENCE_LIMIT = 4_000

_RESULT = re.compile(r"[a-z]+: \[[^\]]*\]")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def step_printed(event: Mapping[str, Any], redact: Redactor) -> StepPrinted | None:
    """What Ansible printed with an event, or None."""
    text = _COLOURS.sub("", str(event.get("stdout") or "")).strip("\r\n")
    if is_hidden(event):  # Ansible prints even the error message of a task that hides its output
        text = "\n".join(line for line in text.splitlines() if _RESULT.match(line))
    if not text:
        return None
    shown = _cut(redact(text.replace("\r\n", "\n")), PRINTED_LIMIT)
    began = event.get("event") == "playbook_on_task_start"
    return StepPrinted(
        text=shown, task=redact(str((event.get("event_data") or {}).get("task") or "")) if began else None
    )


def task_finished(
    event: Mapping[str, Any], redact: Redactor, hidden: HiddenResults, *, check: bool = False
) -> TaskFinished | None:
    """The domain event for a runner event, or None. `hidden` knows what may be reported of hidden output. For a
    `check`, the event also says what would change."""
    data = event.get("event_data") or {}
    outcome = _outcome(event.get("event", ""), data, changed=hidden.changed(event))
    if outcome is None:
        return None
    result = data.get("res") or {}
    message = None
    if outcome in ("failed", "ignored", "unreachable"):
        message = hidden.message(event) or _message(result)
    return TaskFinished(
        host=str(data.get("host") or ""),
        task=redact(str(data.get("task") or "")),
        outcome=outcome,
        seconds=round(float(data.get("duration") or 0.0), 3),
        message=redact(message)[:MESSAGE_LIMIT] if message else None,
        difference=_cut(redact(difference(result)), DIFFERENCE_LIMIT) or None
        if check and outcome == "changed"
        else None,
    )


def _cut(redacted: str, limit: int) -> str:
    """Shorten text that is already redacted. Half a secret would not be recognised."""
    more = len(redacted) - limit
    return redacted if more <= 0 else f"{redacted[:limit]}\n... and {more:,} characters more"


def _outcome(kind: str, data: Mapping[str, Any], *, changed: bool) -> Outcome | None:
    if kind == "runner_on_ok":
        return "changed" if changed or (data.get("res") or {}).get("changed") else "ok"
    if kind == "runner_on_failed":
        return "ignored" if data.get("ignore_errors") else "failed"
    others: dict[str, Outcome] = {"runner_on_skipped": "skipped", "runner_on_unreachable": "unreachable"}
    return others.get(kind)


def _message(result: Mapping[str, Any]) -> str:
    """The readable part of a failed result: its message and its program's output. For a loop, those of its items: its
    own message only says that it is over."""
    items = [r for r in result.get("results") or () if isinstance(r, Mapping)]
    if broken := [_message(r) for r in items if r.get("failed") or r.get("unreachable")]:
        return "\n".join(dict.fromkeys(broken))
    said = [result.get("msg"), result.get("stderr") or result.get("module_stderr"), result.get("reason")]
    lines = [str(part).strip() for part in said if part]
    return "\n".join(dict.fromkeys(lines)) or "no message"


def counts(stats: Mapping[str, Mapping[str, int]]) -> Counts:
    """Ansible's recap summed over hosts."""
    total = {ours: sum((stats.get(theirs) or {}).values()) for ours, theirs in _RECAP.items()}
    return Counts(**total)


_RECAP = {"ok": "ok", "changed": "changed", "failed": "failures", "unreachable": "dark"}


def outcome(*, status: int | None, recap: Counts | None, failures: list[TaskFinished], output: str) -> StepOutcome:
    """How the step ended, by ansible-playbook's exit status and recap. Without a recap it never got that far."""
    if recap is None:
        return StepOutcome(state=StepState.ERRORED, error=f"ansible-playbook ended with status {status}: {output}")
    error = "\n".join(f"{f.host}: {f.task}: {f.message}" for f in failures) or None
    if recap.failed:
        return StepOutcome(state=StepState.FAILED, counts=recap, error=error)
    if recap.unreachable:
        return StepOutcome(state=StepState.UNREACHABLE, counts=recap, error=error)
    if status != 0:
        return StepOutcome(state=StepState.ERRORED, counts=recap, error=f"ansible-playbook ended with status {status}")
    return StepOutcome(state=StepState.SUCCEEDED, counts=recap)
