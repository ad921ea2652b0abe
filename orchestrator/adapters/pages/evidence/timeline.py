"""The geometry of the picture: before and after the disaster, each with its own labelled scale."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from orchestrator.adapters.pages.wording import length
from orchestrator.domain.recovery.evidence import Evidence, Phase

LEFT, RIGHT = 96.0, 700.0
ROW = 20.0
LETTER = 6.0
TOP = 34.0
TICKS = 7
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800)


class Mark(NamedTuple):
    """A labelled point on a line. `anchor` is SVG's text-anchor, chosen to keep the label inside the picture."""

    x: float
    text: str
    anchor: str = "middle"


class Bar(NamedTuple):
    """A phase. If its label fits on neither side, it is `inside`."""

    name: str
    y: float
    x: float
    width: float
    words: Mark
    good: bool


class Before(NamedTuple):
    """From the restored backup to the disaster."""

    backup: Mark | None
    record: Mark | None
    lost: str


class After(NamedTuple):
    """From the disaster to the end. `served` marks the first user served, `given_up` the end of waiting."""

    height: float
    bars: tuple[Bar, ...]
    ticks: tuple[Mark, ...]
    t0: Mark
    served: Mark | None
    given_up: Mark | None
    promised: Mark | None


class Scale(NamedTuple):
    start: datetime
    seconds: float

    def x(self, at: datetime) -> float:
        share = (at - self.start).total_seconds() / self.seconds
        return round(LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0), 1)

    def mark(self, at: datetime, text: str) -> Mark:
        x = self.x(at)
        anchor = "start" if x < LEFT + 60 else "end" if x > RIGHT - 60 else "middle"
        return Mark(x, text, anchor)


def before(evidence: Evidence) -> Before | None:
    """The part before the disaster; None if nothing is known about it."""
    chosen = next((s for s in evidence.pin.snapshots if s.id == evidence.pin.chosen), None)
    lost = evidence.rpo.seconds
    back = max([lost or 0.0, (evidence.t0 - chosen.time).total_seconds() if chosen else 0.0])
    if back <= 0:
        return None
    scale = Scale(evidence.t0 - timedelta(seconds=back * 1.06), back * 1.06)
    record = evidence.t0 - timedelta(seconds=lost) if lost is not None else None
    return Before(
        backup=scale.mark(chosen.time, f"backup {chosen.id[:8]}, {length(_ago(evidence, chosen.time))} before")
        if chosen
        else None,
        record=scale.mark(record, "last good record") if record else None,
        lost=f"lost: {length(lost)}" if lost is not None else "what was lost was not measured",
    )


def _ago(evidence: Evidence, at: datetime) -> float:
    return (evidence.t0 - at).total_seconds()


def after(evidence: Evidence) -> After:
    t0, rto = evidence.t0, evidence.rto
    served = t0 + timedelta(seconds=rto.seconds) if rto.seconds is not None else None
    limit = rto.censored_limit_seconds
    given_up = t0 + timedelta(seconds=limit) if limit is not None else None
    points = [t0, *(p.started_at for p in evidence.phases), *(p.finished_at for p in evidence.phases)]
    points += [at for at in (served, given_up) if at]
    scale = Scale(min(points), max((max(points) - min(points)).total_seconds(), 1.0))
    promised = t0 + timedelta(seconds=evidence.objectives.rto_seconds)
    return After(
        height=TOP + ROW * len(evidence.phases) + 26,
        bars=tuple(_bar(phase, number, scale) for number, phase in enumerate(evidence.phases)),
        ticks=tuple(_ticks(scale, t0)),
        t0=scale.mark(t0, "disaster"),
        served=scale.mark(served, f"first user served: {length(rto.seconds)}") if served else None,
        given_up=scale.mark(given_up, f"nobody served: > {length(limit)}") if given_up else None,
        promised=scale.mark(promised, f"promised: {length(evidence.objectives.rto_seconds)}")
        if promised <= max(points)
        else None,
    )


def _bar(phase: Phase, number: int, scale: Scale) -> Bar:
    x, end = scale.x(phase.started_at), scale.x(phase.finished_at)
    good = phase.outcome == "succeeded"
    took = length(phase.seconds) if good else f"{length(phase.seconds)}, {phase.outcome}"
    width, needed = max(end - x, 1.5), LETTER * len(took)
    if x + width + needed < RIGHT:
        words = Mark(x + width + 5, took, "start")
    elif needed + 10 < width:
        words = Mark(x + width - 5, took, "inside")
    else:
        words = Mark(x - 5, took, "end")
    return Bar(phase.name, TOP + ROW * number, x, width, words, good)


def _ticks(scale: Scale, t0: datetime) -> Iterator[Mark]:
    step = next((s for s in STEPS if scale.seconds / s <= TICKS), STEPS[-1])
    first = -(-int((scale.start - t0).total_seconds()) // step)
    number = first
    while (at := t0 + timedelta(seconds=number * step)) <= scale.start + timedelta(seconds=scale.seconds):
        if at >= scale.start:
            yield Mark(scale.x(at), "0" if number == 0 else f"{'+' if number > 0 else '-'}{length(abs(number * step))}")
        number += 1
