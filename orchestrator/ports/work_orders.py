"""Protocols for what people are asked to do: the records of open tickets, and the service desk."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from orchestrator.domain.runs.work_order import WorkOrder
from orchestrator.domain.selling.work_terms import WorkTerms
from orchestrator.ports.probing import Prepared
from orchestrator.ports.runs import Work


@dataclass(frozen=True)
class Commission(Work):
    """A step that people carry out, within some service time of the agency's agreement. `facts` say what is wanted."""

    run: int
    step: str
    agency: str
    component: str
    terms: WorkTerms
    facts: Mapping[str, str]
    within: timedelta


class WorkOrders(Protocol):
    """The tickets that runs wait for, and those that have to be withdrawn."""

    def put(self, order: WorkOrder) -> None: ...
    def remove(self, run: int, step: str) -> None: ...
    def of(self, run: int) -> list[WorkOrder]:
        """Those that the run waits for."""
        ...

    def all(self) -> list[WorkOrder]:
        """In the order in which they are due."""
        ...


class Ticket(NamedTuple):
    number: str
    address: str


class Progress(NamedTuple):
    """What the desk says about a ticket: whether people have finished with it, and why if they refused."""

    done: bool
    refusal: str | None = None


class ServiceDesk(Protocol):
    """A service desk, as one of the agency's agents. Every call raises UNAVAILABLE if the desk cannot be used."""

    def open(self, prepared: Prepared, reference: str, title: str, text: str, due_at: datetime) -> Ticket:
        """Open a ticket whose subject begins with a reference. One that exists is used again: reopened if it was
        rejected, and otherwise left as it is but for its due time."""
        ...

    def look(self, prepared: Prepared, tickets: Collection[str]) -> dict[str, Progress]:
        """What has become of some tickets. One that was deleted counts as refused."""
        ...

    def withdraw(self, prepared: Prepared, ticket: str, why: str) -> None:
        """Reject a ticket with a comment, unless people have finished with it."""
        ...
