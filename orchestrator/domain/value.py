"""The base class of all immutable values."""

import hashlib
import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value. Unknown keys are refused. To change it, create a new one (`model_copy(update=...)`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def __copy__(self) -> Self:
        """A copy without cached properties, because its fields may differ."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


def canonical_json(document: Any) -> str:
    """The canonical JSON of a JSON-compatible document: sorted keys, no spaces, unescaped UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(document: Any) -> str:
    """The SHA-256 of a document's canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()
