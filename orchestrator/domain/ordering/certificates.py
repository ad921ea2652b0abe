"""How long certificates of an agency's authority are good. What they say depends on the day alone, so that whoever
computes them again on another day of the same period gets the same."""

import hashlib
from datetime import UTC, datetime, timedelta

from orchestrator.domain.value import Value

GOOD_FOR = timedelta(days=365)
PERIOD = timedelta(days=182)
"""How long one is issued before the next: each has half a year to be replaced in."""

_FIRST = datetime(2025, 1, 1, tzinfo=UTC)


class Certified(Value):
    """From when and until when a certificate is good, in UTC."""

    begins: datetime
    ends: datetime

    @property
    def document(self) -> dict[str, str]:
        """As roles are told."""
        return {"begins": self.begins.isoformat(), "ends": self.ends.isoformat()}


def certified(domain: str, at: datetime) -> Certified:
    """The period of a domain's certificates that are issued at an instant. Periods of domains begin on different days,
    so that not all are replaced in one night."""
    shift = timedelta(days=int.from_bytes(hashlib.sha256(domain.encode()).digest()[:4]) % PERIOD.days)
    begins = at.astimezone(UTC) - (at.astimezone(UTC) - _FIRST - shift) % PERIOD
    return Certified(begins=begins, ends=begins + GOOD_FOR)


def superseded(domain: str, *, issued: datetime, now: datetime) -> bool:
    """Whether a new period has begun since certificates were issued."""
    return certified(domain, issued) != certified(domain, now)
