"""HTTP: whether a page is served, over kept connections; and tickets of Request Tracker through REST 2."""

import asyncio
import json
import ssl
import urllib.parse
from functools import lru_cache
from typing import Any

import aiohttp

from orchestrator.adapters.probes.answers import CannotProbe, ProbeFailed, tls_trusting
from orchestrator.ports.probing import Prepared

KEPT_SECONDS = 300
"""How long a connection is kept for the next probe; most servers close it sooner."""
MOST_BYTES, CHUNK = 1_000_000, 65_536
SUBJECT = "Service probe"
CREATED = 201


class Web:
    """One client for all HTTP probes. Create it inside the event loop."""

    def __init__(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS, ttl_dns_cache=60)
        self._client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        self._trusting = lru_cache(maxsize=1024)(tls_trusting)

    async def close(self) -> None:
        await self._client.close()

    async def page(self, prepared: Prepared, seconds: float) -> str:
        """Get the page. A redirect is an answer and is not followed."""
        url = _url(prepared.target.address)
        status, _ = await self.ask("GET", url, prepared.trust, seconds)
        if status >= 400:
            raise ProbeFailed(f"{url} answers {status}")
        return f"{url} answers {status}"

    async def ticket(self, prepared: Prepared, seconds: float) -> str:
        """Open the queue's probe ticket, read it, and resolve it. If there is none yet, it is created as resolved."""
        desk, queue = desk_of(self, prepared, seconds)
        try:
            async with asyncio.timeout(seconds):
                return await _use_ticket(desk, queue)
        except (LookupError, TypeError, ValueError) as error:
            raise ProbeFailed(f"{desk.place} does not answer like a desk") from error

    async def ask(self, method: str, url: str, trust: str | None, seconds: float, **more: Any) -> tuple[int, bytes]:
        """The status and body of a response. The body is read, so that the connection can be kept."""
        tls: ssl.SSLContext | bool = self._trusting(trust) if url.startswith("https:") else True
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.request(method, url, ssl=tls, allow_redirects=False, **more) as answer,
            ):
                body = b""
                async for part in answer.content.iter_chunked(CHUNK):
                    body += part
                    if len(body) > MOST_BYTES:
                        break
                return answer.status, body
        except aiohttp.ClientSSLError as error:
            raise ProbeFailed(f"{url} does not prove its identity: {error}") from error
        except aiohttp.ClientConnectorError as error:
            raise error.os_error from error
        except aiohttp.ClientError as error:
            raise ProbeFailed(f"{url}: {error or type(error).__name__}") from error


class Desk:
    """The REST interface of a desk, as one of its agents."""

    def __init__(self, web: Web, prepared: Prepared, place: str, seconds: float) -> None:
        self.place, self._web, self._prepared, self._seconds = place, web, prepared, seconds

    async def ask(self, method: str, path: str, body: dict[str, str] | None = None, *, status: int = 200) -> Any:
        assert self._prepared.person is not None
        person = self._prepared.person
        login = {"Authorization": aiohttp.encode_basic_auth(person.name, person.password)}
        url = f"{self.place}/REST/2.0/{path}"
        told, answer = await self._web.ask(method, url, self._prepared.trust, self._seconds, headers=login, json=body)
        if told != status:
            raise ProbeFailed(f"{method} {path.partition('?')[0]} answers {told}, not {status}")
        try:
            return json.loads(answer)
        except ValueError:
            raise ProbeFailed(f"{method} {path.partition('?')[0]} does not answer with a document") from None


def desk_of(web: Web, prepared: Prepared, seconds: float) -> tuple[Desk, str]:
    """A target's desk, and the agency's queue on it."""
    place, _, queue = _url(prepared.target.address).rpartition("/")
    if prepared.person is None:
        raise CannotProbe("nobody to log in as")
    return Desk(web, prepared, place, seconds), queue


async def _use_ticket(asking: Desk, queue: str) -> str:
    query = f"Queue = '{queue}' AND Subject = '{SUBJECT}'"
    found = (await asking.ask("GET", f"tickets?query={urllib.parse.quote(query)}&orderby=id"))["items"]
    if found:
        number = int(found[0]["id"])
    else:
        made = {"Queue": queue, "Subject": SUBJECT, "Content": f"{SUBJECT}.", "Status": "resolved"}
        number = int((await asking.ask("POST", "ticket", made, status=CREATED))["id"])
    for status in ("open", "resolved"):
        await asking.ask("PUT", f"ticket/{number}", {"Status": status})
        if (read := await asking.ask("GET", f"ticket/{number}"))["Status"] != status:
            raise ProbeFailed(f"ticket {number} was set to {status} and is {read['Status']}")
    return f"ticket {number} opened, read and resolved"


def _url(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        raise CannotProbe(f"{address!r} is not the address of a page")
    return address
