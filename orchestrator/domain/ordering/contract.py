"""The contract with an agency: what an order changes in it, and what no order can change."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from orchestrator.domain.charging.charges import Agreed
from orchestrator.domain.ordering.difference import FieldChange, differences
from orchestrator.domain.selling.agreement import CallOff, Contact, Term

NAME = "agency.name"

Place = tuple[str, ...]
"""A path in a call-off file."""


def contract_changes(before: CallOff, after: CallOff) -> tuple[FieldChange, ...]:
    """What differs besides the services, which are the plan's other changes."""
    return differences(_terms(before), _terms(after))


def refusals(agreed: Agreed, after: CallOff) -> Iterator[tuple[Place, str]]:
    """Changes in an order that are not allowed while an agency is served."""
    before, agency = agreed.call_off, agreed.call_off.agency.id
    if before.framework != after.framework:
        yield (
            ("framework",),
            f"{agency} is served under {before.framework}; a call-off cannot move to another agreement",
        )
    if before.site != after.site:
        yield ("site",), f"{agency} is delivered at site {before.site}; it cannot move to {after.site} in one step"
    if before.agency.agency_class != after.agency.agency_class:
        recorded = before.agency.agency_class
        yield ("agency", "class"), f"{agency} is recorded as {recorded!r}, which made it eligible"
    if before.term != after.term and (refusal := _refuse_term(before.term, after.term, on=agreed.on)):
        yield ("term",), refusal


def _refuse_term(before: Term, after: Term, *, on: date) -> str | None:
    if after.end <= on:
        return f"the term would end on {after.end}, which has passed; it must end after {on}"
    if on < before.start or before.start == after.start:
        return None
    if on < before.end:
        return f"the term began on {before.start}, which cannot change; to extend it, change months"
    if after.start < before.end:
        return f"the previous term ended on {before.end}; the next must start on that day or later"
    return None


def _terms(call_off: CallOff) -> dict[str, Any]:
    agency, recovery = call_off.agency, call_off.recovery
    told = recovery.model_dump(mode="json") if recovery else {}
    return {
        NAME: agency.name,
        "agency.seats": agency.seats,
        "agency.contacts": [_told(contact) for contact in agency.contacts],
        "term.start": str(call_off.term.start),
        "term.months": call_off.term.months,
        **{f"recovery.{name}": value for name, value in told.items() if value not in (None, [])},
    }


def _told(contact: Contact) -> str:
    return f"{contact.role}: {contact.name} <{contact.email}>"
