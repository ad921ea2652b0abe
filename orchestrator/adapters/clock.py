"""The machine's clocks: one that tells the time, and one that only goes forward."""

import time
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from orchestrator.domain.recovery.recovery_time import StopwatchReading


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class BootStopwatch:
    """Counts from the start of the machine, also while it is suspended; nobody can set it."""

    @cached_property
    def _boot(self) -> str:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def read(self) -> StopwatchReading:
        return StopwatchReading(boot=self._boot, seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
