"""The differences between two states, field by field."""

from collections.abc import Mapping
from typing import Any

from orchestrator.domain.value import Value


class FieldChange(Value):
    path: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """The fields that differ, ordered by path. A missing field is None."""
    paths = sorted({*before, *after})
    changes = (FieldChange(path=path, before=before.get(path), after=after.get(path)) for path in paths)
    return tuple(change for change in changes if change.before != change.after)
