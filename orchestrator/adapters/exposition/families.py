"""Families of metrics, and how they are read from a snapshot."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.ports.figures import Histogram, Snapshot

Row = tuple[*tuple[str, ...], float]
"""The label values, and a figure."""


@dataclass(frozen=True)
class Family:
    """One name and its samples. `name` has no suffix: `_total` and `_info` follow from the type."""

    name: str
    type: Literal["counter", "gauge", "info"]
    help: str
    labels: tuple[str, ...]
    rows: Callable[[Snapshot], Iterable[Row]]

    @property
    def suffix(self) -> str:
        return {"counter": "_total", "info": "_info", "gauge": ""}[self.type]


@dataclass(frozen=True)
class StateFamily:
    """A gauge with one sample for each possible `state`: 1 for the current one, 0 for the others."""

    name: str
    help: str
    labels: tuple[str, ...]
    states: tuple[str, ...]
    rows: Callable[[Snapshot], Iterable[tuple[str, ...]]]
    """The label values, and the state."""


@dataclass(frozen=True)
class HistogramFamily:
    """Durations, in the buckets of `BOUNDS`."""

    name: str
    help: str
    labels: tuple[str, ...]
    rows: Callable[[Snapshot], Sequence[Histogram]]


AnyFamily = Family | StateFamily | HistogramFamily
