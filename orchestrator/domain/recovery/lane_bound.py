"""A lower bound on the recovery hosts that the drills of a site need, however they are planned.

Take any group of drills and all the time in which any of them may run. One lane has no more grains than that time, so
the group's work divided by it is a bound. And a drill of p or more grains fits at most floor(n / p) times into an open
span of n, so the number of such drills divided by the sum of these is another. Every group gives a valid bound. The
groups tried here are, for each period, all drills, and what is left after removing one set of windows after another,
each time the one whose removal leaves the tightest rest.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction
from itertools import accumulate
from operator import or_
from typing import NamedTuple

from orchestrator.domain.calendars.spans import Spans, total, union


class Crowd(NamedTuple):
    """Drills that may run at the same times: the days of their period, their open spans, and the grains of each."""

    days: tuple[date, date]
    spans: Spans
    grains: tuple[int, ...]


def lane_bound(crowds: Sequence[Crowd]) -> Fraction:
    """The minimum of lanes needed; round it up. Zero without drills."""
    return max(map(_bound, _groups(crowds)), default=Fraction(0))


def _groups(crowds: Sequence[Crowd]) -> Iterator[list[Crowd]]:
    for first, until in sorted({crowd.days for crowd in crowds}):
        inside = [c for c in crowds if first <= c.days[0] and c.days[1] <= until]
        left = sorted(inside, key=lambda c: (total(c.spans), c))
        yield from (left[: n + 1] for n in range(len(left)))
        masks = _masks(left)
        work = [sum(c.grains) for c in left]
        while left:
            yield left
            aside = _hindmost(masks, work)
            for column in (left, masks, work):
                del column[aside]


def _masks(crowds: Sequence[Crowd]) -> list[int]:
    """The open grains of each as bits, so that unions and their sizes are fast."""
    origin = min(c.spans[0][0] for c in crowds)
    return [sum(((1 << (b - a)) - 1) << (a - origin) for a, b in c.spans) for c in crowds]


def _hindmost(masks: Sequence[int], work: Sequence[int]) -> int:
    """The index of the one to remove so that the others have the most work for their time."""
    before = list(accumulate(masks, or_, initial=0))
    behind = list(accumulate(reversed(masks), or_, initial=0))[::-1]
    all_work = sum(work)

    def load(n: int) -> float:
        return (all_work - work[n]) / ((before[n] | behind[n + 1]).bit_count() or 1)

    return max(range(len(masks)), key=load)


def _bound(group: Sequence[Crowd]) -> Fraction:
    """The minimum of lanes that one group needs."""
    spans = union(*(crowd.spans for crowd in group))
    counts = Counter(n for crowd in group for n in crowd.grains)
    found = [Fraction(sum(n * times for n, times in counts.items()), total(spans))]
    so_long = 0
    for grains in sorted(counts, reverse=True):
        so_long += counts[grains]
        found.append(Fraction(so_long, sum((b - a) // grains for a, b in spans)))
    return max(found)
