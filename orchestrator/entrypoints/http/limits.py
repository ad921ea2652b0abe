"""Limits of a connection: bytes of a request, seconds to send it, and seconds to read the response."""

import asyncio
from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_BYTES = 16 * 1024
BODY_BYTES = 1024 * 1024
REQUEST_SECONDS = 20.0
ANSWER_SECONDS = 300.0
"""Enough for a slow reader to scrape a million series."""


class PunctualProtocol(H11Protocol):
    """Closes a connection whose request does not arrive, or whose response is not read, in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(REQUEST_SECONDS)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE) and self.conn.our_state is not h11.DONE:
            self._expect(ANSWER_SECONDS)

    def on_response_complete(self) -> None:
        self._expect(REQUEST_SECONDS)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(None)
        super().connection_lost(exc)

    def _expect(self, seconds: float | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort) if seconds else None


class BodyLimit:
    """Answers 413 to a request body over `BODY_BYTES`, chunked or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sizes = [value for name, value in scope["headers"] if name == b"content-length"]
        if any(int(size) > BODY_BYTES for size in sizes):
            await _refuse(send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_BYTES:
                raise _TooLargeError
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLargeError:
            await _refuse(send)


class _TooLargeError(Exception):
    pass


async def _refuse(send: Send) -> None:
    body = b'{"type": "urn:orchestrator:invalid", "title": "the request is too large", "status": 413}'
    headers: Any = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
