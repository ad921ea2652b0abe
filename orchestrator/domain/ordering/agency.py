"""What is recorded of an agency: the terms it is served under, and the plans it was shown."""

from datetime import datetime
from decimal import Decimal

from orchestrator.domain.charging.charges import Rate
from orchestrator.domain.ordering.plan import Plan
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.domain.value import Value


class StoredPlan(Value):
    """A plan as it was shown. `order` is None when the agency leaves."""

    id: int
    plan: Plan
    order: CallOff | None
    created_at: datetime


class AgencyRecord(Value):
    """An agency and the terms it was last applied under. `committed`: pounds that its `rates` come to. `owed`: pounds
    for months that were charged before it left, which whatever it orders next does not hold."""

    id: str
    name: str
    framework: str
    site: str
    call_off: CallOff
    committed: Decimal
    rates: tuple[Rate, ...] = ()
    owed: Decimal = Decimal(0)
    created_at: datetime
    offboarded_at: datetime | None = None
