"""What backups of a component contain, and against what users verify a restored copy."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from orchestrator.domain.identifiers import Name
from orchestrator.domain.value import Value


class Trust(Value):
    """A file on the hosts of a function against which users verify the service's identity. `file` is a template over
    {agency_id}."""

    function: Name
    file: Annotated[str, Field(pattern=r"^/[^\x00]+$")]

    def file_of(self, agency: str) -> str:
        return self.file.format(agency_id=agency)


ALL_LEVELS = (1, 2, 3, 4, 5)


class RecoveryScope(Value):
    """What a backup of the component contains, in words, and against what users verify a restored copy.

    `integrity` are the levels that a drill must check before it can pass (docs/recovery.md). Level 4 is the chain of
    canaries, for components that users can write to from outside.
    """

    data: tuple[str, ...]
    trust: Trust | None = None
    integrity: tuple[Annotated[int, Field(ge=1, le=5)], ...] = Field(
        default=ALL_LEVELS, min_length=1, exclude_if=lambda levels: levels == ALL_LEVELS
    )

    def trusted(self, agency: str, hosts: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
        """The host and the file on it that say whom to trust, for a service on these hosts by function."""
        return (hosts[self.trust.function][0], self.trust.file_of(agency)) if self.trust else None
