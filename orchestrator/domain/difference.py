"""What differs between two states of one thing, field by field."""

from collections.abc import Mapping
from typing import Any

from orchestrator.domain.value import Value


class FieldChange(Value):
    path: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Of fields by their paths, in the order of these. None where there is no such field."""
    paths = sorted({*before, *after})
    changes = (FieldChange(path=path, before=before.get(path), after=after.get(path)) for path in paths)
    return tuple(change for change in changes if change.before != change.after)
