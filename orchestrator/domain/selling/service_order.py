"""One component as ordered."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from orchestrator.domain.identifiers import Identifier
from orchestrator.domain.value import Value


class ServiceOrder(Value):
    """One component as ordered. `parameters` contains only what the agency chose. `because` is set for one that the
    agency's file does not name itself."""

    tier: Identifier
    quantity: Annotated[int, Field(ge=1, le=10_000)] = 1
    parameters: Mapping[str, Any] = {}
    because: str | None = Field(default=None, exclude_if=lambda because: because is None)
