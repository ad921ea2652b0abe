"""Life cycles as somebody has written them out by hand, to hold the tables of the domain against."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.lifecycle import Lifecycle


def check_moves(life: Lifecycle[Any, Any], states: type[StrEnum], events: type[StrEnum], by_hand: str) -> None:
    """Try every event in every state: what is written follows, and all else is refused, saying what is possible.

    A line for each state: `queued: admit admitted, cancel cancelled`.
    """
    lines = dict(line.split(":") for line in by_hand.strip().splitlines())
    assert list(lines) == list(states)
    for state in states:
        moves = dict(move.split() for move in lines[state].split(",") if move.strip())
        assert set(moves) <= set(events), state
        for event in events:
            _check(life, state, event, moves)


def _check(life: Lifecycle[Any, Any], state: StrEnum, event: StrEnum, moves: Mapping[str, str]) -> None:
    assert life.allows(state, event) == (event in moves), (state, event)
    if event in moves:
        assert life.after(state, event) == moves[event], (state, event)
        return
    with pytest.raises(OrchestratorError) as refused:
        life.after(state, event)
    assert refused.value.kind is Kind.CONFLICT
    assert refused.value.message == f"a {life.subject} that is {state} cannot {event}"
    assert refused.value.hint == (f"possible now: {', '.join(sorted(moves))}" if moves else f"{state} is final")
