"""What dashboards read, from both databases."""

import pytest

from orchestrator.domain.runs.run import StepState
from tests.usecases.conftest import House, order


@pytest.mark.real_databases("durations are computed in SQL")
class TestASnapshot:
    def test_shows_how_long_an_agency_waited_for_its_services(self, house: House) -> None:
        """From the plan to the end of the run: three steps of ten seconds each."""
        house.apply(order("a-one"))
        house.apply(order("a-two"), alpha_verify=StepState.FAILED)
        snapshot = house.observing.snapshot()
        [onboarding] = snapshot.onboarding_durations
        assert (onboarding.labels, onboarding.count) == (("trial",), 1)
        assert onboarding.total_seconds == pytest.approx(30, abs=0.001)
        assert (onboarding.at_most[4], onboarding.at_most[6]) == (0, 1)
        durations = {h.labels: (h.count, h.total_seconds) for h in snapshot.run_durations}
        assert durations == {("onboard", "succeeded"): (1, 30.0), ("onboard", "failed"): (1, 30.0)}
        assert ("onboard", "succeeded", 1) in snapshot.runs
