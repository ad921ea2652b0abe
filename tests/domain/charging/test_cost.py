"""The cost of an order by the prices of its agreement, and when the agreed price stays."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.domain.charging.charges import Agreed
from orchestrator.domain.charging.cost import Cost, cost_of
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from tests.domain.conftest import call_off
from tests.domain.selling.agreements import LINES, but, without_seat_price

ALL = {"network": {"tier": "standard"}, "desk": {"tier": "premium"}, "desktop": {"tier": "standard", "quantity": 150}}


def lines(cost: Cost) -> list[tuple[str, int, str]]:
    return [(line.item, line.quantity, str(line.unit_per_year)) for line in cost.lines]


@pytest.fixture
def by_lines(agreement: FrameworkAgreement) -> FrameworkAgreement:
    return without_seat_price(agreement)


class TestWithoutASeatPrice:
    def test_an_order_costs_what_its_price_lines_say(self, by_lines: FrameworkAgreement, catalog: Catalog) -> None:
        cost = cost_of(call_off(ALL, seats=40), by_lines, catalog, None)
        assert lines(cost) == [
            ("Network, standard, per seat", 40, "60.00"),
            ("Desk, premium", 1, "7000.00"),
            ("Desktop, standard", 150, "50.00"),
        ]
        assert cost.per_year == cost.term_total == Decimal(40 * 60 + 7000 + 150 * 50)

    def test_a_line_that_costs_nothing_is_not_shown(self, by_lines: FrameworkAgreement, catalog: Catalog) -> None:
        free = {**LINES[0], "bands": [{"quantity": 1, "per_year": "0.00"}]}
        given = but(by_lines, price_lines=[free, *LINES[1:]])
        assert lines(cost_of(call_off({"network": {"tier": "standard"}}), given, catalog, None)) == []


def test_beside_a_seat_price_a_line_replaces_the_catalogs_price(
    agreement: FrameworkAgreement, catalog: Catalog
) -> None:
    cost = cost_of(call_off(ALL, seats=10), but(agreement, price_lines=LINES[-2:]), catalog, None)
    assert lines(cost) == [
        ("Core, per seat", 10, "3200.00"),
        ("Network, standard", 1, "100.00"),
        ("Desk, premium", 1, "300.00"),
        ("Desktop, standard", 150, "50.00"),
    ]


class TestTheAgreedPrice:
    """What was agreed was £1,000 a year, which no price list says."""

    def again(self, before: CallOff, after: CallOff, agreement: FrameworkAgreement, catalog: Catalog) -> Decimal:
        rate = cost_of(before, agreement, catalog, None).rates[0].model_copy(update={"per_year": Decimal(1000)})
        agreed = Agreed(call_off=before, rates=(rate,), on=date(2027, 2, 1))
        return cost_of(after, agreement, catalog, agreed).charged_per_year

    @pytest.mark.parametrize(
        ("services", "charged"),
        [
            ({"desk": {"tier": "standard"}}, 1000),
            ({"network": {"tier": "premium"}}, 1000),
            ({"network": {"tier": "standard"}}, 20 * 60),
        ],
    )
    def test_stays_when_seats_change_that_nothing_is_charged_for(
        self, by_lines: FrameworkAgreement, catalog: Catalog, services: dict[str, Any], charged: int
    ) -> None:
        before, after = call_off(services, seats=10), call_off(services, seats=20)
        assert self.again(before, after, by_lines, catalog) == charged

    def test_ends_when_seats_with_a_price_change(self, agreement: FrameworkAgreement, catalog: Catalog) -> None:
        services = {"disaster-recovery": {"tier": "standard"}}  # not of the lot core
        before, after = call_off(services, seats=10), call_off(services, seats=20)
        assert self.again(before, after, agreement, catalog) == 100
