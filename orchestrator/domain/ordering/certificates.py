"""Validity of the certificates of an agency's authority. It depends only on the period, so that computing them again on
another day of the same period gives the same certificates."""

import hashlib
from datetime import UTC, datetime, timedelta

from orchestrator.domain.value import Value

GOOD_FOR = timedelta(days=365)
PERIOD = timedelta(days=182)
"""The time from one issue to the next: each certificate can be replaced within half a year."""

_FIRST = datetime(2025, 1, 1, tzinfo=UTC)


class Certified(Value):
    """The validity of a certificate, in UTC."""

    begins: datetime
    ends: datetime

    @property
    def document(self) -> dict[str, str]:
        """The validity for roles."""
        return {"begins": self.begins.isoformat(), "ends": self.ends.isoformat()}


def certified(domain: str, at: datetime) -> Certified:
    """The validity of a domain's certificates issued at an instant. Periods of domains begin on different days, so that
    not all are replaced in one night."""
    shift = timedelta(days=int.from_bytes(hashlib.sha256(domain.encode()).digest()[:4]) % PERIOD.days)
    begins = at.astimezone(UTC) - (at.astimezone(UTC) - _FIRST - shift) % PERIOD
    return Certified(begins=begins, ends=begins + GOOD_FOR)


def superseded(domain: str, *, issued: datetime, now: datetime) -> bool:
    """Whether a new period has begun since the certificates were issued."""
    return certified(domain, issued) != certified(domain, now)
