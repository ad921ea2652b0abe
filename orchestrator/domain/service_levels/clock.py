"""Service hours as a clock: how many of the seconds of a stretch it runs, quickly, however long the hours go back."""

from bisect import bisect_right
from itertools import accumulate

from orchestrator.domain.calendars.spans import Spans


class ServiceClock:
    """Runs in the given spans."""

    def __init__(self, hours: Spans) -> None:
        self._starts = [span.start for span in hours]
        self._lengths = [span.end - span.start for span in hours]
        self._before = [0, *accumulate(self._lengths)]

    def seconds(self, spans: Spans) -> int:
        """How long it runs within spans."""
        return sum(self.at(span.end) - self.at(span.start) for span in spans)

    def at(self, second: int) -> int:
        """What it shows at a second."""
        last = bisect_right(self._starts, second) - 1
        return 0 if last < 0 else self._before[last] + min(second - self._starts[last], self._lengths[last])
