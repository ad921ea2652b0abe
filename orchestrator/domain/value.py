"""The base of every frozen value in the house."""

import hashlib
import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value. Unknown keys are refused; a change is a new value (`model_copy(update=...)`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def __copy__(self) -> Self:
        """Without what was worked out of the fields and kept: a copy may have others."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


def canonical_json(document: Any) -> str:
    """One spelling for one document: keys sorted, no spaces, UTF-8 as it is. `document` is JSON-compatible."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(document: Any) -> str:
    """SHA-256 of the canonical JSON of `document`, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()
