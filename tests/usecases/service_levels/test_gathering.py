"""Incidents are gathered from desks, one of which does not always answer."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget
from orchestrator.domain.selling.catalog import ProbeKind
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.ports.probing import Prepared
from orchestrator.usecases.service_levels.gathering import AT_FIRST, Gathering
from tests.usecases.conftest import House, order

DESKS = ("a-one", "a-two")


@dataclass
class Desks:
    """Of two agencies; the one of a-one is `away`, or not. `told` is what each is asked for."""

    away: bool = False
    told: list[tuple[str, datetime]] = field(default_factory=list)

    def targets(self) -> list[ProbeTarget]:
        every, changed = timedelta(minutes=1), datetime(2026, 11, 1, tzinfo=UTC)
        return [
            ProbeTarget(ProbeKey(agency, "service-desk", kind), kind, "here", "https://desk/q", every, changed)
            for agency in DESKS
            for kind in (ProbeKind.HTTP, ProbeKind.RT)
        ]

    def prepare(self, target: ProbeTarget) -> Prepared:
        return Prepared(target)

    def read(self, prepared: Prepared, since: datetime) -> dict[str, Incident]:
        agency = prepared.target.key.agency
        if self.away and agency == "a-one":
            raise OrchestratorError(Kind.UNAVAILABLE, "the incidents of a-one cannot be read from the desk: it is away")
        self.told.append((agency, since))
        return {"7": Incident.model_validate({"priority": "p1", "reported_at": since})}


def test_a_desk_that_does_not_answer_is_asked_again_from_where_it_left_off(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    for agency in DESKS:
        house.apply(order(agency))
    desks: Any = Desks()
    gathering = Gathering(store=house.store, clock=house.clock, targeting=desks, read=desks.read)
    began = house.clock.now()
    assert gathering.gather() == 2
    house.clock.turn(minutes=5)
    desks.away = True
    assert gathering.gather() == 1
    assert "the incidents of a-one cannot be read from the desk" in caplog.text
    house.clock.turn(minutes=5)
    desks.away = False
    assert gathering.gather() == 2
    assert desks.told == [
        ("a-one", began - AT_FIRST), ("a-two", began - AT_FIRST), ("a-two", began),
        ("a-one", began), ("a-two", began + timedelta(minutes=5)),
    ]  # fmt: skip
    with house.store.read() as tx:
        assert list(tx.incidents.within("a-one", began - 2 * AT_FIRST, house.clock.now())) == ["7"]
