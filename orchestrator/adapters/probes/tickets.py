"""Tickets of Request Tracker for people's work, through REST 2 as one of the agency's agents."""

import asyncio
import base64
import urllib.parse
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

from orchestrator.adapters.probes.answers import CannotProbe, ProbeFailed
from orchestrator.adapters.probes.incidents import pages
from orchestrator.adapters.probes.web import CREATED, Desk, Web, desk_of
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.ports.probing import Prepared
from orchestrator.ports.work_orders import Progress, Ticket

T = TypeVar("T")

SECONDS = 30.0
REFUSED = ("rejected", "deleted")
DONE = "resolved"
SPOKEN = ("Comment", "Correspond")
"""Transactions in which people say something."""
NO_REASON = "nobody said why"
MOST_REASON = 500
"""How much of a reason is kept, in characters."""


class DeskTickets:
    """Implements the port ServiceDesk."""

    def open(self, prepared: Prepared, reference: str, title: str, text: str, due_at: datetime) -> Ticket:
        due = f"{due_at:%Y-%m-%d %H:%M:%S}"

        async def opened(desk: Desk, queue: str) -> Ticket:
            query = urllib.parse.quote(f"Queue = '{queue}' AND Subject LIKE '{reference}'")
            found = (await desk.ask("GET", f"tickets?query={query}&orderby=id&fields=Status"))["items"]
            if found:
                number = str(int(found[0]["id"]))
                again = {"Status": "open"} if found[0]["Status"] in REFUSED else {}
                await desk.ask("PUT", f"ticket/{number}", {"Due": due, **again})
            else:
                made = {"Queue": queue, "Subject": f"{reference} {title}", "Content": text, "ContentType": "text/plain"}
                number = str(int((await desk.ask("POST", "ticket", made, status=CREATED))["id"]))
                await desk.ask("PUT", f"ticket/{number}", {"Due": due})  # the desk has just set that of an incident
            return Ticket(number, f"{desk.place}/Ticket/Display.html?id={number}")

        return _with_desk(prepared, opened)

    def look(self, prepared: Prepared, tickets: Collection[str]) -> dict[str, Progress]:
        async def looked(desk: Desk, _: str) -> dict[str, Progress]:
            return {ticket: await _progress(desk, ticket) for ticket in tickets}

        return _with_desk(prepared, looked) if tickets else {}

    def withdraw(self, prepared: Prepared, ticket: str, why: str) -> None:
        async def withdrawn(desk: Desk, _: str) -> None:
            if not (await _progress(desk, ticket)).done:
                said = {"Content": why, "ContentType": "text/plain"}
                await desk.ask("POST", f"ticket/{ticket}/comment", said, status=CREATED)
                await desk.ask("PUT", f"ticket/{ticket}", {"Status": "rejected"})

        _with_desk(prepared, withdrawn)


def _with_desk(prepared: Prepared, use: Callable[[Desk, str], Awaitable[T]]) -> T:
    """Use the desk and its queue once. Raises UNAVAILABLE."""

    async def used() -> T:
        web = Web()
        try:
            return await use(*desk_of(web, prepared, SECONDS))
        finally:
            await web.close()

    try:
        return asyncio.run(used())
    except (ProbeFailed, CannotProbe, OSError, TimeoutError, LookupError, TypeError, ValueError) as error:
        agency = prepared.target.key.agency
        raise OrchestratorError(Kind.UNAVAILABLE, f"the desk of {agency} cannot be used: {error}") from error


async def _progress(desk: Desk, ticket: str) -> Progress:
    status = (await desk.ask("GET", f"ticket/{ticket}"))["Status"]
    if status == DONE:
        return Progress(done=True)
    if status in REFUSED:
        return Progress(done=True, refusal=await _reason(desk, ticket))
    return Progress(done=False)


async def _reason(desk: Desk, ticket: str) -> str:
    """What was said last on the ticket, on one line."""
    spoken = [
        int(one["id"]) async for one in pages(desk, f"ticket/{ticket}/history?fields=Type") if one["Type"] in SPOKEN
    ]
    if not spoken:
        return NO_REASON
    parts = (await desk.ask("GET", f"transaction/{max(spoken)}/attachments"))["items"]
    texts = [_text(await desk.ask("GET", f"attachment/{int(part['id'])}")) for part in parts]
    return " ".join("".join(texts).split())[:MOST_REASON] or NO_REASON


def _text(attachment: Mapping[str, Any]) -> str:
    """The text of an attachment that is plain text; nothing of others."""
    if attachment.get("ContentType") != "text/plain":
        return ""
    return base64.b64decode(str(attachment.get("Content", ""))).decode(errors="replace")
