"""What `serve` refuses without processing it: other hosts, large requests, and requests that never end."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from orchestrator.entrypoints.http import limits
from orchestrator.entrypoints.http.limits import BODY_BYTES, HEAD_BYTES, BodyLimit
from tests.entrypoints.cli.conftest import CommandLine, eventually
from tests.entrypoints.http.test_serve import answers, free_port


class TestAServer:
    pytestmark = pytest.mark.slow

    @pytest.fixture
    def port(self, orchestrator: CommandLine) -> int:
        port = free_port()
        orchestrator.start("serve", "--no-worker", "--port", port, ORCHESTRATOR_HTTP__CONNECTIONS="8")
        eventually(lambda: answers(port))
        return port

    def test_answers_only_to_its_own_names_and_within_its_limits(self, port: int) -> None:
        for host in ("localhost", "127.0.0.1:80", "[::1]:8080"):
            assert said(port, head(host)).startswith(b"HTTP/1.1 200")
        for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"):
            assert said(port, head(host)).startswith(b"HTTP/1.1 400")
        assert said(port, head("localhost", path="/openapi.json")).startswith(b"HTTP/1.1 404")
        assert said(port, head("localhost", f"X: {'x' * 20 * HEAD_BYTES}"))[:12] in (b"HTTP/1.1 400", b"")
        assert said(port, head("localhost", f"Content-Length: {BODY_BYTES + 1}")).startswith(b"HTTP/1.1 413")
        with held_open(port, 20):
            assert said(port, head("localhost")).startswith(b"HTTP/1.1 503")
        eventually(lambda: said(port, head("localhost")).startswith(b"HTTP/1.1 200"))


def head(host: str, *lines: str, path: str = "/healthz") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, "", ""]).encode()


def said(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(request)
            return connection.recv(4096)
        except ConnectionError:  # it closed the connection before everything was sent
            return b""


@contextmanager
def held_open(port: int, count: int) -> Iterator[None]:
    held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(count)]
    yield
    for connection in held:
        connection.close()


class TestABody:
    def test_is_measured_as_it_arrives_whatever_length_it_claims(self) -> None:
        app = FastAPI()
        app.add_middleware(BodyLimit)

        @app.post("/")
        async def take(request: Request) -> int:
            return len(await request.body())

        client = TestClient(app)
        pieces = [b"x" * 1024] * (BODY_BYTES // 1024)
        assert client.post("/", content=iter(pieces)).json() == BODY_BYTES
        refused = client.post("/", content=iter([*pieces, b"x"]))
        assert refused.status_code == 413
        assert json.loads(refused.content)["title"] == "the request is too large"


class TestPunctuality:
    """The protocol in the test's own loop, with shorter limits."""

    @pytest.fixture(autouse=True)
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.5)
        monkeypatch.setattr(limits, "ANSWER_SECONDS", 0.5)

    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"GET / HTTP/1.1\r\nHost: x\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nxx",
            b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n",
        ],
    )
    def test_ends_connections_that_wait_for_ever(self, sent: bytes) -> None:
        asyncio.run(asyncio.wait_for(self.left_alone(sent), 60))

    async def left_alone(self, sent: bytes) -> None:
        """Return when the server has closed the connection of a client that sends this and then keeps reading."""
        import uvicorn

        server = uvicorn.Server(uvicorn.Config(slow, port=free_port(), http=limits.PunctualProtocol, log_level="error"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.config.port)
        writer.write(sent)
        try:
            while await reader.read(65536):
                pass
        except ConnectionResetError:
            pass
        writer.close()
        server.should_exit = server.force_exit = True
        await serving


async def slow(scope: dict[str, object], receive: object, send: object) -> None:
    """An application whose responses never end."""
    assert callable(receive)
    assert callable(send)
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100_000):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0.05)
    await asyncio.sleep(3600)
