"""State tables: the only code for state transitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from orchestrator.domain.errors import Kind, OrchestratorError

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class Lifecycle(Generic[S, E]):
    """A table (state, event) -> state. Anything not in the table is refused."""

    subject: str
    table: Mapping[tuple[S, E], S]

    def allows(self, state: S, event: E) -> bool:
        return (state, event) in self.table

    def after(self, state: S, event: E) -> S:
        """The next state. Raises CONFLICT, naming the possible events."""
        try:
            return self.table[state, event]
        except KeyError:
            possible = sorted(e.value for s, e in self.table if s == state)
            raise OrchestratorError(
                Kind.CONFLICT,
                f"a {self.subject} that is {state.value} cannot {event.value}",
                hint=f"possible now: {', '.join(possible)}" if possible else f"{state.value} is final",
            ) from None
