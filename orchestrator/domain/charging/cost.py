"""The cost of an order: its price a year, and the commitment."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from orchestrator.domain.charging.charges import Agreed, Rate, amended, committed
from orchestrator.domain.money import to_pence
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.selling.prices import PricedBy, listed
from orchestrator.domain.value import Value


class CostLine(Value):
    item: str
    quantity: int
    unit_per_year: Decimal
    per_year: Decimal


class Commitment(Value):
    """Pounds a year, and pounds for all months charged."""

    per_year: Decimal
    term_total: Decimal


class Cost(Value):
    """Pounds, at current prices. `term_total` is the whole commitment, in which months with other prices count at
    those. `rates` apply from now on; `before` is the previous commitment, if it differs."""

    lines: tuple[CostLine, ...]
    per_year: Decimal
    term_total: Decimal
    rates: tuple[Rate, ...] = ()
    before: Commitment | None = None

    @property
    def charged_per_year(self) -> Decimal:
        return to_pence(self.rates[-1].per_year) if self.rates else self.per_year


def cost_of(call_off: CallOff | None, agreement: FrameworkAgreement, catalog: Catalog, agreed: Agreed | None) -> Cost:
    """The cost; nothing for an agency that leaves. The agreed price stays until an order changes what is bought."""
    if call_off is None:
        return Cost(lines=(), per_year=Decimal(0), term_total=Decimal(0))
    lines = (*_seat_lines(agreement, call_off), *_component_lines(agreement, catalog, call_off))
    per_year = sum((line.per_year for line in lines), Decimal(0))
    recorded = agreed.rates if agreed else ()
    if agreed and recorded and _bought(agreed.call_off, agreement) == _bought(call_off, agreement):
        return Cost(lines=lines, per_year=per_year, term_total=committed(recorded), rates=recorded)
    rates = amended(recorded, call_off.term, per_year, on=agreed.on if agreed else call_off.term.start)
    before = Commitment(per_year=to_pence(recorded[-1].per_year), term_total=committed(recorded)) if recorded else None
    return Cost(lines=lines, per_year=per_year, term_total=committed(rates), rates=rates, before=before)


def _bought(call_off: CallOff, agreement: FrameworkAgreement) -> tuple[Any, ...]:
    """What the price depends on."""
    ordered = {name: (service.tier, service.quantity) for name, service in call_off.services.items()}
    return call_off.term, call_off.agency.seats if _by_seat(agreement, call_off) else None, ordered


def _by_seat(agreement: FrameworkAgreement, call_off: CallOff) -> bool:
    """Whether seats are charged for. Where an agreement has a seat price they always count as bought."""
    own = (agreement.price_line(name, service.tier) for name, service in call_off.services.items())
    return agreement.seat_price is not None or any(line and line.per is PricedBy.SEAT for line in own)


def _seat_lines(agreement: FrameworkAgreement, call_off: CallOff) -> Iterator[CostLine]:
    core = agreement.lots["core"].components if "core" in agreement.lots else ()
    price = agreement.seat_price
    if price and any(component in core for component in call_off.services):
        yield _line(f"{price.title}, per seat", call_off.agency.seats, price.per_year(call_off.agency.seats))


def _component_lines(agreement: FrameworkAgreement, catalog: Catalog, call_off: CallOff) -> Iterator[CostLine]:
    for component_id in catalog.in_order(call_off.services):
        component, ordered = catalog.components[component_id], call_off.services[component_id]
        price = agreement.price_line(component_id, ordered.tier) or listed(component, ordered.tier)
        quantity = price.quantity(units=ordered.quantity, seats=call_off.agency.seats)
        if each := price.per_year(quantity):
            per_seat = ", per seat" if price.per is PricedBy.SEAT else ""
            yield _line(f"{component.title}, {ordered.tier}{per_seat}", quantity, each)


def _line(item: str, quantity: int, each: Decimal) -> CostLine:
    return CostLine(item=item, quantity=quantity, unit_per_year=each, per_year=each * quantity)
