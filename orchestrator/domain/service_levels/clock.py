"""Service hours as a clock: how many seconds of a period it runs, computed fast however far back the hours go."""

from bisect import bisect_right
from itertools import accumulate

from orchestrator.domain.calendars.spans import Spans


class ServiceClock:
    """A clock that runs in the given spans."""

    def __init__(self, hours: Spans) -> None:
        self._starts = [span.start for span in hours]
        self._lengths = [span.end - span.start for span in hours]
        self._before = [0, *accumulate(self._lengths)]

    def seconds(self, spans: Spans) -> int:
        """How long it runs within spans."""
        return sum(self.at(span.end) - self.at(span.start) for span in spans)

    def at(self, second: int) -> int:
        """Its reading at a second."""
        last = bisect_right(self._starts, second) - 1
        return 0 if last < 0 else self._before[last] + min(second - self._starts[last], self._lengths[last])
