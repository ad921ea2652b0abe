"""Incidents from Request Tracker, read with REST 2 as one of the agency's agents."""

import asyncio
import urllib.parse
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from orchestrator.adapters.probes.answers import CannotProbe, ProbeFailed
from orchestrator.adapters.probes.web import Desk, Web, desk_of
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.runs.work_order import SUBJECT
from orchestrator.domain.service_levels.incidents import Hold, Incident, IncidentPriority
from orchestrator.ports.probing import Prepared

FROM_PRIORITY = ((75, IncidentPriority.P1), (50, IncidentPriority.P2), (25, IncidentPriority.P3))
"""Request Tracker's numbers, and the priority that starts at each."""

OURS = ("Service probe", "Recovery probe", "Recovery canary", "Service verification of ", SUBJECT)
"""How the subjects of our own tickets begin, which nobody reported."""

NONE = ("rejected", "deleted")
"""States of tickets that are not incidents."""

FIELDS = "Subject,Status,Priority,Created,Started,Resolved"
CHANGES = "Type,Field,OldValue,NewValue,Created"
WAITING = "stalled"
PAGE = 100
SECONDS = 30.0
LOCAL = timedelta(days=1)
"""Margin for queries: the desk reads times in the time zone of its user, wherever that is."""


def read_incidents(prepared: Prepared, since: datetime) -> dict[str, Incident]:
    """Ticket number -> incident, for those changed since an instant. Raises UNAVAILABLE when the desk cannot be
    read."""
    try:
        return asyncio.run(_read(prepared, since - LOCAL))
    except (ProbeFailed, CannotProbe, OSError, TimeoutError, LookupError, TypeError, ValueError) as error:
        agency = prepared.target.key.agency
        raise OrchestratorError(
            Kind.UNAVAILABLE, f"the incidents of {agency} cannot be read from the desk: {error}"
        ) from error


async def _read(prepared: Prepared, since: datetime) -> dict[str, Incident]:
    web = Web()
    try:
        desk, queue = desk_of(web, prepared, SECONDS)
        query = f"Queue = '{queue}' AND LastUpdated > '{since:%Y-%m-%d %H:%M:%S}'"
        tickets = [
            t async for t in pages(desk, f"tickets?query={urllib.parse.quote(query)}&orderby=id&fields={FIELDS}")
        ]
        return {
            str(ticket["id"]): _incident(ticket, [change async for change in _history(desk, ticket)])
            for ticket in tickets
            if ticket["Status"] not in NONE and not ticket["Subject"].startswith(OURS)
        }
    finally:
        await web.close()


def _history(desk: Desk, ticket: Mapping[str, Any]) -> AsyncIterator[Any]:
    return pages(desk, f"ticket/{ticket['id']}/history?fields={CHANGES}")


async def pages(desk: Desk, path: str) -> AsyncIterator[Any]:
    """Every item of a listing. The path has a question mark."""
    for page in count(1):
        items = (await desk.ask("GET", f"{path}&per_page={PAGE}&page={page}"))["items"]
        for item in items:
            yield item
        if len(items) < PAGE:
            return


def _incident(ticket: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Incident:
    reported, started, resolved = (_instant(ticket[name]) for name in ("Created", "Started", "Resolved"))
    fixed = resolved if ticket["Status"] == "resolved" else None
    priority = int(ticket["Priority"] or 0)
    return Incident(
        priority=next((named for least, named in FROM_PRIORITY if priority >= least), IncidentPriority.P4),
        reported_at=reported,
        responded_at=started or fixed,
        fixed_at=fixed,
        holds=tuple(_holds(history)),
    )


def _holds(history: Sequence[Mapping[str, Any]]) -> Iterator[Hold]:
    """The periods during which the ticket waited for the customer."""
    since: datetime | None = None
    for change in sorted(history, key=lambda change: (str(change["Created"]), int(change["id"]))):
        if change["Field"] != "Status":
            continue
        at = _instant(change["Created"])
        if change["NewValue"] == WAITING:
            since = since or at
        elif since:
            yield Hold(start=since, end=at)
            since = None
    if since:
        yield Hold(start=since)


def _instant(told: str | None) -> datetime | None:
    """Request Tracker returns 1970 for what has not happened."""
    at = datetime.fromisoformat(told) if told else datetime.fromtimestamp(0, UTC)
    return at if at.timestamp() > 0 else None
