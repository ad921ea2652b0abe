"""TCP: whether a connection is accepted."""

import asyncio

from orchestrator.adapters.probes.answers import host_and_port
from orchestrator.ports.probing import Prepared


async def ask(prepared: Prepared, seconds: float) -> str:
    """Connect and close the connection."""
    host, port = host_and_port(prepared.target.address)
    async with asyncio.timeout(seconds):
        _, writer = await asyncio.open_connection(host, port)
    writer.close()
    return f"{host}:{port} accepts connections"
