"""SIP: whether a server answers OPTIONS over UDP (RFC 3261, section 11)."""

import asyncio
import secrets

from orchestrator.adapters.probes.answers import ProbeFailed, host_and_port
from orchestrator.ports.probing import Prepared

PORT = 5060
SEND_AGAIN_SECONDS = 0.5
"""T1 of RFC 3261: UDP may lose packets."""
SERVER_FAILURE = 500


class _Caller(asyncio.DatagramProtocol):
    def __init__(self, call: str) -> None:
        self._call = call
        self.answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _: object) -> None:
        """The first final response to our request counts; provisional ones (1xx) are ignored."""
        first, _, rest = data.decode(errors="replace").partition("\r\n")
        version, _, status = first.partition(" ")
        code = status[:3]
        if version == "SIP/2.0" and code.isdigit() and self._call in rest and code[0] != "1" and not self.answer.done():
            self.answer.set_result(int(code))

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def ask(prepared: Prepared, seconds: float) -> str:
    """Send OPTIONS repeatedly, because UDP may lose it. Any response except a server failure shows that it works."""
    host, port = host_and_port(prepared.target.address, PORT)
    call, loop = secrets.token_hex(12), asyncio.get_running_loop()
    transport, caller = await loop.create_datagram_endpoint(lambda: _Caller(call), remote_addr=(host, port))
    try:
        message = _options(host, port, call, transport.get_extra_info("sockname")[:2])
        async with asyncio.timeout(seconds):
            while not caller.answer.done():
                transport.sendto(message)
                await asyncio.wait([caller.answer], timeout=SEND_AGAIN_SECONDS)
        code = caller.answer.result()
    finally:
        transport.close()
    if code >= SERVER_FAILURE:
        raise ProbeFailed(f"{host}:{port} answers {code}")
    return f"{host}:{port} answers OPTIONS with {code}"


def _options(host: str, port: int, call: str, ours: tuple[str, int]) -> bytes:
    here = f"{ours[0]}:{ours[1]}"
    lines = (
        f"OPTIONS sip:{host}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{call};rport",
        "Max-Forwards: 70",
        f"From: <sip:probe@{ours[0]}>;tag={call[:8]}",
        f"To: <sip:{host}:{port}>",
        f"Call-ID: {call}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:probe@{here}>",
        "Accept: application/sdp",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()
