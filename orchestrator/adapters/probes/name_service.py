"""DNS: whether a name server knows a name."""

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from orchestrator.adapters.probes.answers import ProbeFailed, place_and_name
from orchestrator.ports.probing import Prepared

PORT = 53


async def ask(prepared: Prepared, seconds: float) -> str:
    """Query the IPv4 addresses of a name, over UDP, or TCP if the answer does not fit."""
    server, port, name = place_and_name(prepared.target.address, PORT, spelt="SERVER/NAME")
    try:
        query = dns.message.make_query(name, dns.rdatatype.A)
        answer, _ = await dns.asyncquery.udp_with_fallback(query, server, timeout=seconds, port=port)
    except dns.exception.Timeout:
        raise ProbeFailed(f"{server} does not answer") from None
    except dns.exception.DNSException as error:
        raise ProbeFailed(f"{server} gave an invalid answer: {error}") from error
    found = sorted(str(item) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset)
    if answer.rcode() != dns.rcode.NOERROR or not found:
        raise ProbeFailed(f"{server} knows no address of {name}: {dns.rcode.to_text(answer.rcode())}")
    return f"{name} is {', '.join(found)}"
