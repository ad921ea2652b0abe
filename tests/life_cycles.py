"""Draws the life cycles of the domain, from its tables, into the document that explains them.

python -m tests.life_cycles
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.domain.lifecycle import Lifecycle
from orchestrator.domain.ordering.instance import INSTANCE_LIFE, InstanceState
from orchestrator.domain.recovery.drills import DRILL_LIFE, UNDER_WAY, DrillState
from orchestrator.domain.runs.run import RUN_LIFE, STEP_LIFE, RunState, StepState
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "life-cycles.md"


@dataclass(frozen=True)
class Life:
    """A life cycle with all its states, and those in which something is first recorded. Where states that are `alike`
    have an end in common, one arrow stands for all of them."""

    cycle: Lifecycle[Any, Any]
    states: type[StrEnum]
    begins: tuple[StrEnum, ...]
    alike: tuple[StrEnum, ...] = ()

    @property
    def final(self) -> list[StrEnum]:
        """States that nothing leads out of."""
        return [state for state in self.states if not any(before == state for before, _ in self.cycle.table)]


LIVES = (
    Life(RUN_LIFE, RunState, begins=(RunState.QUEUED,)),
    Life(STEP_LIFE, StepState, begins=(StepState.PENDING,)),
    Life(INSTANCE_LIFE, InstanceState, begins=(InstanceState.PENDING,)),
    Life(
        DRILL_LIFE,
        DrillState,
        begins=(DrillState.APPROVAL_PENDING, DrillState.APPROVED, DrillState.SKIPPED_BLACKOUT),
        alike=tuple(state for state in UNDER_WAY if state is not DrillState.CLEANUP),
    ),
)

TOGETHER = "under_way"
"""How states that are alike are called in a drawing."""


def diagram(life: Life) -> str:
    """The life cycle in Mermaid's language. Each arrow names the events that it stands for."""
    table = life.cycle.table
    shared = {(event, after): None for (before, event), after in table.items() if _is_shared(life, event, after)}
    own = {(before, event): after for (before, event), after in table.items()
           if before not in life.alike or (event, after) not in shared}  # fmt: skip
    inside = {move: after for move, after in own.items() if {move[0], after} <= set(life.alike)}
    outside = {move: after for move, after in own.items() if move not in inside}
    lines = [f"[*] --> {state}" for state in life.begins]
    if life.alike:
        lines += [f"state {TOGETHER} {{", *(f"    {arrow}" for arrow in _arrows(inside)), "}"]
    lines += _arrows(outside)
    lines += _arrows({(TOGETHER, event): after for event, after in shared})
    lines += [f"{state} --> [*]" for state in life.final]
    return "".join(f"{line}\n" for line in ("stateDiagram-v2", *(f"    {line}" for line in lines)))


def _is_shared(life: Life, event: StrEnum, after: StrEnum) -> bool:
    return bool(life.alike) and all(life.cycle.table.get((state, event)) == after for state in life.alike)


def _arrows(moves: Mapping[tuple[str, str], str]) -> Iterable[str]:
    events: dict[tuple[str, str], list[str]] = {}
    for (before, event), after in moves.items():
        events.setdefault((before, after), []).append(event)
    return [f"{before} --> {after}: {', '.join(names)}" for (before, after), names in events.items()]


def section(life: Life, document: str) -> str:
    """What the document says of a life cycle: what is under its heading."""
    return document.partition(f"\n## {life.cycle.subject.capitalize()}\n")[2].partition("\n## ")[0]


def drawn(document: str) -> str:
    """The document with its diagrams as the tables have them."""
    for life in LIVES:
        old = section(life, document)
        new = re.sub(r"(?<=```mermaid\n).*?(?=```)", lambda _, life=life: diagram(life), old, flags=re.DOTALL)
        document = document.replace(old, new)
    return document


if __name__ == "__main__":
    DOCUMENT.write_text(drawn(DOCUMENT.read_text()))
