"""The records of service levels, as protocols: periods of service, declarations, incidents, months."""

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
    """Time in which an agency had a component in service; without an end, it has it now."""

    agency: str
    component: str
    began_at: datetime
    ended_at: datetime | None


class ServicePeriods(Protocol):
    def begin(self, agency: str, component: str, *, at: datetime) -> None:
        """From now on, unless it is in service already."""
        ...

    def end(self, agency: str, component: str, *, at: datetime) -> None: ...
    def within(self, start: datetime, end: datetime, *, agency: str | None = None) -> list[ServicePeriod]:
        """Those of which any part lies between two instants, by agency, component and time."""
        ...


class Declarations(Protocol):
    def add(self, declaration: Declaration) -> Declaration:
        """With its number."""
        ...

    def put(self, declaration: Declaration) -> None: ...
    def get(self, declaration: int) -> Declaration | None: ...
    def within(self, start: datetime, end: datetime, *, agency: str | None = None) -> list[Declaration]:
        """Those of which any part lies between two instants, in order of their start."""
        ...

    def newest(self, *, agency: str | None = None, limit: int = 50) -> list[Declaration]: ...
    def of(self, agencies: Collection[str]) -> list[Declaration]:
        """All there are of some agencies."""
        ...

    def changes(self, after: int) -> list[tuple[int, str]]:
        """(number, agency) of what was added or put behind a number. Numbers grow in the order of their commits."""
        ...

    def last_change(self) -> int: ...


class KeptMeter(NamedTuple):
    """A meter as it was read once; since which second, and by which terms (a digest), the service was measured then."""

    agency: str
    component: str
    began: int
    terms: str
    meter: Meter


class Meters(Protocol):
    """Meters of services to which nothing has happened since they were read: whoever records a transition or a
    declaration forgets those that it is about."""

    def all(self) -> list[KeptMeter]: ...
    def put(self, meters: Iterable[KeptMeter]) -> None: ...


class Incidents(Protocol):
    """What the service desk recorded, by its own numbers."""

    def put(self, agency: str, number: str, incident: Incident) -> None: ...
    def within(self, agency: str, start: datetime, end: datetime) -> dict[str, Incident]:
        """Incidents reported before `end` and not fixed before `start`."""
        ...


class Months(Protocol):
    """Closed months. A version, once put, stays."""

    def get(self, agency: str, month: CalendarMonth) -> ClosedMonth | None: ...
    def add_version(self, month: ClosedMonth, record: MonthRecord) -> None:
        """Keep the newest version, with the records it came from."""
        ...

    def record(self, agency: str, month: CalendarMonth) -> MonthRecord:
        """The records that the newest version came from."""
        ...

    def of(self, agency: str) -> list[ClosedMonth]:
        """Oldest month first."""
        ...


class ServiceFacts(Protocol):
    """What runs and drills tell of a stretch of time."""

    def onboardings(self, agency: str, start: datetime, end: datetime) -> list[Onboarding]:
        """Onboardings that were in service between two instants."""
        ...

    def backups(self, agency: str, start: datetime, end: datetime) -> tuple[int, int]:
        """(succeeded, failed) of those that ended between two instants."""
        ...
