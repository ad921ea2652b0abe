"""Who may reach what: what a component declares of its ports."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from orchestrator.domain.identifiers import Name
from orchestrator.domain.value import Value

PortTemplate = Annotated[str, Field(pattern=r"^(tcp|udp)/([0-9]{1,5}|\{[a-z_]+\})$")]


class Audience(StrEnum):
    """Who may reach a service on a port. Everybody else gets no answer."""

    PROVIDER = "provider"
    """Machines from which the site is managed and monitored."""
    DEVICES = "devices"
    """Devices on the agency's own network, those that dial in to it, and those of people who dial in elsewhere."""
    WORKPLACES = "workplaces"
    """Hosts on which the agency's people work: those of a component's `workplaces` functions."""
    BACKUPS = "backups"
    """Hosts of the agency that are backed up, and those with another copy, which was restored from there."""
    RECOVERY = "recovery"
    """The agency's recovery host: simulated users there write canaries and check that a service works."""
    OWN = "own"
    """The agency's hosts of the same component, in its other functions."""
    ANYONE = "anyone"


class Reach(Value):
    """Ports of a function, and who may reach them.

    A port is a template over the allocation: `tcp/443`, `udp/{vpn_port}`, and `{repository_port}` for backups. Ports
    are at the host's own address or, for a gateway, at its address on the agency's `network`.
    """

    function: Name
    ports: Annotated[tuple[PortTemplate, ...], Field(min_length=1)]
    admits: Annotated[tuple[Audience, ...], Field(min_length=1)]
    at: Literal["host", "network"] = "host"
