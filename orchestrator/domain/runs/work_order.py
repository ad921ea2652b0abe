"""Work orders: tickets of a service desk by which people carry out a step."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.selling.work_terms import WorkTerms
from orchestrator.domain.value import Value

AT_RISK_SHARE = 0.75
"""The share of its service time after which an open work order is at risk."""

SUBJECT = "Work order "
"""How the subjects of these tickets begin. They are not incidents."""


class Jeopardy(StrEnum):
    """How an open work order stands against its due time."""

    ON_TIME = "on_time"
    AT_RISK = "at_risk"
    OVERDUE = "overdue"


class WorkOrder(Value):
    """A ticket that is open, or that has to be withdrawn because its run no longer waits for it. `address` is that of
    its page."""

    run: int
    step: str
    agency: str
    component: str
    title: str
    ticket: str
    address: str
    opened_at: datetime
    at_risk_at: datetime
    due_at: datetime
    withdrawn: bool = False

    def jeopardy(self, now: datetime) -> Jeopardy:
        if now >= self.due_at:
            return Jeopardy.OVERDUE
        return Jeopardy.AT_RISK if now >= self.at_risk_at else Jeopardy.ON_TIME


def reference(run: int, step: str) -> str:
    """How the subject of a step's ticket begins. It finds the ticket again after a crash, and when the run is
    resumed."""
    return f"{SUBJECT}{run} {step}:"


def instructions(terms: WorkTerms, facts: Mapping[str, str], due_at: datetime) -> str:
    """The text of a ticket. Facts are shown one in a line."""
    told = "\n".join(f"{name}: {value}" for name, value in facts.items())
    checks = "\n".join(f"[ ] {check}" for check in terms.checklist)
    return (
        f"{terms.title}.\n\n{told}\nDue: {due_at:%Y-%m-%d %H:%M} UTC\n\nBefore you resolve this ticket:\n{checks}\n\n"
        "Resolve it when all of this is done. If it cannot be done, say why in a comment and reject it.\n"
    )
