"""Backups of services that have ended: kept until the date in the contract, and destroyed by a separate command."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import ValidationError

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.plan import Plan, Purpose, Step
from orchestrator.domain.ordering.upkeep import bare_plan
from orchestrator.domain.selling.catalog import KEEPER, Verb
from orchestrator.domain.text_types import LINE
from orchestrator.domain.value import Value, digest_of

OPENS = "repository_password"
KEPT_SECRETS = (OPENS,)
"""The secret that opens held backups. Those who wrote them no longer have access."""


class Reason(Value):
    """Why backups are destroyed before their date."""

    early: Annotated[str, LINE.field]


class HeldBackups(Value):
    """An agency's stopped repository on one host. `since` and `until` are instants in UTC."""

    agency: str
    site: str
    function: str
    host: str
    since: datetime
    until: datetime


def reason_to_destroy(held: Sequence[HeldBackups], *, now: datetime, early: str | None) -> str:
    """Why the backups may be destroyed now. Raises CONFLICT before their date, unless `early` gives a reason."""
    until = max(one.until for one in held)
    if now >= until:
        return f"held until {until:%Y-%m-%d}, as agreed"
    if early is None:
        raise OrchestratorError(
            Kind.CONFLICT,
            f"backups of {held[0].agency} must be held until {until:%Y-%m-%d %H:%M}Z",
            hint='wait until then, or give a reason: --early "the agency asked for it in writing"',
        )
    try:
        return f"before {until:%Y-%m-%d}: {Reason(early=early).early}"
    except ValidationError:
        raise OrchestratorError(Kind.INVALID, f"--early must be {LINE.expected}, at most {LINE.longest}") from None


def destruction_plan(held: Sequence[HeldBackups], *, because: str) -> Plan:
    """One step that removes an agency's held repositories for good."""
    placement: dict[str, tuple[str, ...]] = {}
    for one in held:
        placement[one.function] = (*placement.get(one.function, ()), one.host)
    step = Step(
        id=f"{KEEPER}.{Verb.RETIRE}",
        component=KEEPER,
        verb=Verb.RETIRE,
        placement=placement,
        needs=(),
        because=because,
    )
    basis = digest_of([one.model_dump(mode="json") for one in held])
    return bare_plan(held[0].agency, Purpose.DESTROY, (step,), site=held[0].site, basis=basis)
