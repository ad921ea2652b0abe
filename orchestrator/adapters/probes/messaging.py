"""XMPP: whether a server opens a stream for its domain and offers its features (RFC 6120, section 4)."""

import asyncio
from xml.sax.saxutils import quoteattr

from orchestrator.adapters.probes.answers import ProbeFailed, place_and_name
from orchestrator.ports.probing import Prepared

PORT = 5222
MOST_BYTES = 65_536


async def ask(prepared: Prepared, seconds: float) -> str:
    """Open a stream, read the features, close it."""
    host, port, domain = place_and_name(prepared.target.address, PORT, spelt="HOST/DOMAIN")
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(
                f"<?xml version='1.0'?><stream:stream to={quoteattr(domain)} version='1.0' xml:lang='en' "
                "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>".encode()
            )
            said = await _until_features(reader, domain)
            writer.write(b"</stream:stream>")
            await writer.drain()
        finally:
            writer.transport.abort()
    return f"{domain} offers {'encryption' if b'urn:ietf:params:xml:ns:xmpp-tls' in said else 'a stream'}"


async def _until_features(reader: asyncio.StreamReader, domain: str) -> bytes:
    said = b""
    while b"</stream:features>" not in said:
        more = await reader.read(MOST_BYTES)
        said += more
        if b"<stream:error" in said:
            raise ProbeFailed(f"{domain}: the stream was refused: {_condition(said)}")
        if not more or len(said) > MOST_BYTES:
            raise ProbeFailed(f"{domain}: no stream features were received")
    return said


def _condition(said: bytes) -> str:
    """The first element inside the stream error, which names the problem."""
    inside = said.partition(b"<stream:error")[2].partition(b"<")[2]
    return inside.split()[0].strip(b"/>").decode(errors="replace") if inside.split() else "without a reason"
