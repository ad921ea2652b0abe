"""The record of an agency: its terms and its plans."""

from datetime import datetime
from decimal import Decimal

from orchestrator.domain.charging.charges import Rate
from orchestrator.domain.ordering.plan import Plan
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.domain.value import Value


class StoredPlan(Value):
    """A plan as shown. `order` is None when the agency leaves."""

    id: int
    plan: Plan
    order: CallOff | None
    created_at: datetime


class AgencyRecord(Value):
    """An agency and its terms as last applied. `committed`: the total of its `rates`, in pounds. `owed`: pounds for
    months charged before it left, which a later order does not include."""

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
