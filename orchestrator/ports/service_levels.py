"""Protocols for the records of service levels: periods of service, declarations, incidents, months."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple, Protocol

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.service_levels.closed_month import ClosedMonth
from orchestrator.domain.service_levels.declaration import Declaration
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.domain.service_levels.meter import Meter
from orchestrator.domain.service_levels.month_record import MonthRecord, Onboarding


class ServicePeriod(NamedTuple):
    """A period in which an agency had a component in service. Without an end, it still does."""

    agency: str
    component: str
    began_at: datetime
    ended_at: datetime | None


class ServicePeriods(Protocol):
    def begin(self, agency: str, component: str, *, at: datetime) -> None:
        """Begin a period, unless the component is already in service."""
        ...

    def end(self, agency: str, component: str, *, at: datetime) -> None: ...
    def within(self, start: datetime, end: datetime, *, agency: str | None = None) -> list[ServicePeriod]:
        """The periods that overlap the time between two instants, ordered by agency, component and time."""
        ...


class Declarations(Protocol):
    def add(self, declaration: Declaration) -> Declaration:
        """Store a declaration and return it with its number."""
        ...

    def put(self, declaration: Declaration) -> None: ...
    def get(self, declaration: int) -> Declaration | None: ...
    def within(self, start: datetime, end: datetime, *, agency: str | None = None) -> list[Declaration]:
        """The declarations that overlap the time between two instants, ordered by start."""
        ...

    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Declaration]: ...
    def of(self, agencies: Collection[str]) -> list[Declaration]:
        """All declarations of some agencies."""
        ...

    def changes(self, after: int) -> list[tuple[int, str]]:
        """(number, agency) of all changes after a number. Numbers grow in commit order."""
        ...

    def last_change(self) -> int: ...


class KeptMeter(NamedTuple):
    """A meter as last read, with the second since which the service was measured, and a digest of its terms."""

    agency: str
    component: str
    began: int
    terms: str
    meter: Meter


class Meters(Protocol):
    """Meters of services whose records have not changed since: recording a transition or a declaration deletes the
    affected meters."""

    def all(self) -> list[KeptMeter]: ...
    def put(self, meters: Iterable[KeptMeter]) -> None: ...


class Incidents(Protocol):
    """The incidents of the service desk, by its own numbers."""

    def put(self, agency: str, number: str, incident: Incident) -> None: ...
    def within(self, agency: str, start: datetime, end: datetime) -> dict[str, Incident]:
        """Incidents reported before `end` and not fixed before `start`."""
        ...


class Months(Protocol):
    """Closed months. Versions are permanent."""

    def get(self, agency: str, month: CalendarMonth) -> ClosedMonth | None: ...
    def add_version(self, month: ClosedMonth, record: MonthRecord) -> None:
        """Store the newest version with the records behind it."""
        ...

    def record(self, agency: str, month: CalendarMonth) -> MonthRecord:
        """The records behind the newest version."""
        ...

    def of(self, agency: str) -> list[ClosedMonth]:
        """The closed months of an agency, oldest first."""
        ...


class ServiceFacts(Protocol):
    """What runs and drills show about a period."""

    def onboardings(self, agency: str, start: datetime, end: datetime) -> list[Onboarding]:
        """Onboardings that came into service between two instants."""
        ...

    def backups(self, agency: str, start: datetime, end: datetime) -> tuple[int, int]:
        """(succeeded, failed) backups that ended between two instants."""
        ...
