"""What counts against a framework's ceiling, whoever comes, leaves and comes back.

The oracle keeps a sheet of months for each agency: ordering fills it in from the term's start on, leaving strikes out
the months in which nothing was in service.
"""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import pytest

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.selling.agreement import CallOff
from tests.domain.service_levels.vectors import LONDON, london
from tests.usecases.conftest import House, order

MONTHS = 12
AGENCIES = ("a-one", "a-two", "a-three")

pytestmark = pytest.mark.real_databases("the sum of commitments is kept beside their rows")


def wanted(agency: str, *, a_month: int, start: date) -> CallOff:
    """£10 a seat-year and £100 for alpha: so many pounds a month."""
    seats = (a_month * 12 - 100) // 10
    term = {"start": start, "months": MONTHS}
    asked = order(agency, seats=seats).model_dump(mode="json", by_alias=True)
    return CallOff.model_validate({**asked, "term": term})


@dataclass
class Sheet:
    house: House
    months: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    served: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    present: set[str] = field(default_factory=set)

    def order(self, agency: str, *, a_month: int, start: date) -> None:
        asked = wanted(agency, a_month=a_month, start=start)
        self.house.apply(asked)
        sheet, month = self.months[agency], CalendarMonth.of(start)
        for name in [name for name in sheet if name >= str(month)]:
            del sheet[name]
        for _ in range(MONTHS):
            sheet[str(month)] = a_month
            month = month.following
        self.present.add(agency)
        self.serve()

    def leave(self, agency: str) -> None:
        self.serve()
        self.house.drive(self.house.provisioning.open_run(self.house.planning.plan_offboarding(agency).id))
        self.months[agency] = {
            name: pounds for name, pounds in self.months[agency].items() if name in self.served[agency]
        }
        self.present.remove(agency)

    def turn(self, days: int) -> None:
        """Day by day, and whoever is there is served."""
        for _ in range(days):
            self.serve()
            self.house.clock.turn(days=1)

    def serve(self) -> None:
        today = self.house.clock.now().astimezone(LONDON).date()
        for agency in self.present:
            self.served[agency].add(f"{today:%Y-%m}")

    def agrees(self) -> None:
        with self.house.store.read() as tx:
            counted = tx.agencies.committed("trial", without="nobody")
        assert counted == sum(sum(sheet.values()) for sheet in self.months.values())


def test_offboarding_frees_what_is_not_owed(house: House) -> None:
    """Of twelve months at £10, four have been served, including the one in which it left."""
    sheet = Sheet(house)
    sheet.order("a-one", a_month=10, start=date(2026, 12, 1))
    sheet.turn(days=(london("2027-03-30T12:00") - house.clock.time).days)
    house.clock.time = london("2027-03-31T23:30")
    sheet.leave("a-one")
    with house.store.read() as tx:
        assert tx.agencies.committed("trial", without="nobody") == Decimal(40)
        assert tx.agencies.committed("trial", without="a-one") == Decimal(40), "coming back does not free it either"
    sheet.agrees()


def test_an_agency_that_comes_back_owes_what_it_owed(house: House) -> None:
    sheet = Sheet(house)
    sheet.order("a-one", a_month=10, start=date(2026, 12, 1))
    sheet.turn(days=(london("2027-03-10T12:00") - house.clock.time).days)
    sheet.leave("a-one")
    sheet.order("a-one", a_month=20, start=date(2027, 3, 1))
    with house.store.read() as tx:
        assert tx.agencies.committed("trial", without="nobody") == Decimal(3 * 10 + 12 * 20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_the_ceiling_counts_what_is_owed_or_promised(house: House, seed: int) -> None:
    chance, sheet = random.Random(seed), Sheet(house)
    house.clock.time = london("2026-11-22T09:00")
    starts: dict[str, date] = {}
    for _ in range(14):
        sheet.turn(days=chance.randrange(40))
        agency, today = chance.choice(AGENCIES), house.clock.now().date()
        if agency in sheet.present:
            sheet.leave(agency)
        else:
            again = starts.get(agency, date(2026, 12, 1))
            starts[agency] = max(again, chance.choice((again, today.replace(day=1))))
            sheet.order(agency, a_month=5 * chance.randrange(2, 18), start=starts[agency])
        sheet.agrees()
