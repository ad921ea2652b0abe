"""A closed month and its later versions, all of which are kept.

The credit notes of the versions add up to the credit of the last one.
"""

from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.calendars.spans import Instant, instant_at
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.identifiers import AgencyId
from orchestrator.domain.service_levels.figures import Figures
from orchestrator.domain.value import Value, digest_of


class Statement(Value):
    """One version of a month. `record_digest` identifies the records behind it."""

    version: Annotated[int, Field(ge=1)]
    closed_at: Instant
    why: Annotated[str, Field(min_length=1, max_length=200)]
    record_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    figures: Figures


class CreditNote(Value):
    """The difference that a version makes. `amount` is owed to the agency; a negative one was credited in excess."""

    agency: AgencyId
    month: CalendarMonth
    version: int
    amount: Annotated[Decimal, Field(decimal_places=2)]


class ClosedMonth(Value):
    """The versions of an agency's month, oldest first."""

    agency: AgencyId
    month: CalendarMonth
    versions: Annotated[tuple[Statement, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if [statement.version for statement in self.versions] != list(range(1, len(self.versions) + 1)):
            raise ValueError("versions must be numbered from 1 without gaps")
        if any(later.closed_at < earlier.closed_at for earlier, later in pairwise(self.versions)):
            raise ValueError("a version must not be older than the previous one")
        return self

    @classmethod
    def close(
        cls, agency: str, month: CalendarMonth, figures: Figures, *, record: Any, at: datetime, zone: ZoneInfo
    ) -> Self:
        """The first version. `record` is the JSON-compatible document of the records behind the figures.

        Raises CONFLICT before the month is over.
        """
        ends_at = instant_at(month.span(zone).end)
        if at < ends_at:
            raise OrchestratorError(
                Kind.CONFLICT, f"{month} is not over in {zone.key}", hint=f"close it from {ends_at.isoformat()} on"
            )
        first = Statement(version=1, closed_at=at, why="closed", record_digest=digest_of(record), figures=figures)
        return cls(agency=agency, month=month, versions=(first,))

    @property
    def current(self) -> Statement:
        return self.versions[-1]

    def restated(self, figures: Figures, *, record: Any, at: datetime, why: str) -> Self:
        """The month with a new version if records or figures have changed; otherwise unchanged."""
        digest = digest_of(record)
        if (digest, figures) == (self.current.record_digest, self.current.figures):
            return self
        version = Statement(
            version=self.current.version + 1, closed_at=at, why=why, record_digest=digest, figures=figures
        )
        return type(self).model_validate(dict(self) | {"versions": (*self.versions, version)})

    @property
    def credit_notes(self) -> tuple[CreditNote, ...]:
        """One for each version that changes what is owed."""
        owed = (Decimal(0), *(statement.figures.credit for statement in self.versions))
        return tuple(
            CreditNote(agency=self.agency, month=self.month, version=version, amount=now - before)
            for version, (before, now) in enumerate(pairwise(owed), start=1)
            if now != before
        )

    def outdated_by(self, before: "ClosedMonth") -> bool:
        """Whether the previous month, as known now, changes which failures of this one are repeated.

        Raises INVALID if it is not the month right before this one.
        """
        if before.month.following != self.month:
            raise OrchestratorError(Kind.INVALID, f"{before.month} is not the month before {self.month}")
        figures = self.current.figures
        return figures.repeated != figures.missed & before.current.figures.missed
