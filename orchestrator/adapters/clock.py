"""The machine's clocks: wall-clock time, and a monotonic stopwatch."""

import time
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from orchestrator.domain.recovery.recovery_time import StopwatchReading


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class BootStopwatch:
    """Counts since boot, including time suspended; it cannot be set."""

    @cached_property
    def _boot(self) -> str:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def read(self) -> StopwatchReading:
        return StopwatchReading(boot=self._boot, seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
