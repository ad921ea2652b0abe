"""New secrets for services, whatever interrupts the change, and new certificates before the old ones end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.certificates import GOOD_FOR, PERIOD
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import Run, RunState, StepState
from orchestrator.usecases.keys.renewing import Renewing
from orchestrator.usecases.recovery.protecting import Protecting
from tests.usecases.conftest import House, order

AGENCY, KEEPER = "a-one", "disaster-recovery"


@dataclass(frozen=True)
class RenewingHouse:
    house: House
    renewing: Renewing
    protecting: Protecting

    def clear(self, component: str = "alpha") -> dict[str, str]:
        """What is in force, in the clear."""
        with self.house.store.read() as tx:
            sealed = tx.secrets.of(AGENCY, component)
        return {name: self.renewing.secrets.open(token) for name, token in sealed.items()}

    def given(self) -> Mapping[str, str]:
        """What the last step that was driven was given."""
        return self.house.assigned[-1].secrets

    def rotate(self, *named: str, **ends: StepState) -> Run:
        self.renewing.propose(AGENCY, *named)
        return self.house.drive(self.renewing.open_run(AGENCY), **ends)

    def steps(self, run: Run) -> list[str]:
        return [step.id for step in self.house.observing.run(run.id).steps]


@pytest.fixture
def renewed(house: House) -> RenewingHouse:
    parts: dict[str, Any] = {"source": house.planning.source, "store": house.store, "clock": house.clock}
    assigning = house.provisioning.assigning
    protecting = Protecting(assigning=assigning, **parts)
    consequences = {**house.driving.consequences, Purpose.BACKUP: protecting}
    renewing = Renewing(secrets=assigning.secrets, planning=house.planning, provisioning=house.provisioning, **parts)
    return RenewingHouse(
        replace(house, driving=replace(house.driving, consequences=consequences)), renewing, protecting
    )


class TestANewSecret:
    def test_is_given_to_its_services_and_then_the_old_one_is_forgotten(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}, delta={}))
        before, others = renewed.clear(), renewed.clear("delta")
        run = renewed.rotate("alpha")
        assert run.state is RunState.SUCCEEDED
        assert renewed.steps(run) == ["alpha.precheck", "alpha.provision", "alpha.verify"]
        assert renewed.given() == renewed.clear() != before
        assert renewed.clear("delta") == others
        assert renewed.house.planning.plan(order(alpha={}, delta={})).plan.empty

    def test_leaves_the_old_one_in_place_until_it_is_verified(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}))
        before = renewed.clear()
        run = renewed.rotate("alpha", "token", alpha_verify=StepState.FAILED)
        given = renewed.given()
        assert (run.state, renewed.clear(), given != before) == (RunState.FAILED, before, True)
        [view] = renewed.renewing.listed(AGENCY)
        assert view.replaced
        assert renewed.house.drive(renewed.house.driving.resume(run.id)).state is RunState.SUCCEEDED
        assert renewed.clear() == given, "the one that hosts were given first"
        assert not renewed.renewing.listed(AGENCY)[0].replaced

    def test_that_was_only_proposed_is_used_by_the_next_call(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}))
        renewed.renewing.propose(AGENCY)
        with renewed.house.store.read() as tx:
            proposed = tx.secrets.proposed(AGENCY)
        [change] = renewed.house.planning.plan(order(alpha={})).plan.changes
        assert [field.path for field in change.fields] == ["secrets.token"]
        renewed.rotate()
        assert renewed.clear() == {"token": renewed.renewing.secrets.open(proposed["alpha"]["token"])}

    def test_is_refused_while_a_run_is_open(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}))
        renewed.house.provisioning.open_run(renewed.house.planning.plan(order(alpha={"tier": "large"})).id)
        with pytest.raises(OrchestratorError, match="must end with the secrets it began with") as refused:
            renewed.renewing.propose(AGENCY)
        assert refused.value.kind is Kind.CONFLICT

    def test_makes_an_earlier_plan_stale(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}))
        stored = renewed.house.planning.plan(order(alpha={"tier": "large"}))
        renewed.renewing.propose(AGENCY)
        with pytest.raises(OrchestratorError, match="stale"):
            renewed.house.provisioning.open_run(stored.id)

    def test_is_made_for_every_secret_that_the_agency_has(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}, **{KEEPER: {}}))
        held = {(view.component, view.name) for view in renewed.renewing.listed(AGENCY)}
        assert {(KEEPER, "repository_password"), (KEEPER, "canary_key"), ("alpha", "token")} <= held
        assert {(view.component, view.name) for view in renewed.renewing.propose(AGENCY)} == held

    def test_that_opens_backups_has_all_of_them_taken_again_at_once(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}, **{KEEPER: {}}))
        renewed.house.drive(renewed.protecting.open_run(AGENCY))
        before = renewed.clear(KEEPER)
        assert renewed.protecting.open_due() == []
        renewed.rotate(KEEPER)
        assert renewed.clear(KEEPER)["repository_password"] != before["repository_password"]
        [run] = renewed.protecting.open_due()
        renewed.house.drive(run)
        assert renewed.protecting.open_due() == []

    @pytest.mark.parametrize("named", [("gamma",), ("alpha", "other"), ("nothing", "token")])
    def test_for_a_secret_that_does_not_exist_is_refused(self, renewed: RenewingHouse, named: tuple[str, ...]) -> None:
        renewed.house.apply(order(alpha={}))
        with pytest.raises(OrchestratorError, match="there is no secret of a-one"):
            renewed.renewing.propose(AGENCY, *named)

    def test_is_backed_up_at_once(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}, **{KEEPER: {}}))
        renewed.house.drive(renewed.protecting.open_run(AGENCY))
        assert renewed.protecting.open_due() == []
        renewed.rotate("alpha")
        [run] = renewed.protecting.open_due()
        renewed.house.drive(run)
        assert renewed.protecting.open_due() == []


class TestListedSecrets:
    def test_show_their_age_and_when_certificates_end(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}, delta={}))
        told = {(view.component, view.name): view for view in renewed.renewing.listed()}
        assert set(told) == {("alpha", "token"), ("delta", "token"), ("delta", "authority_key")}
        assert told["alpha", "token"].certificates_end is None
        ends, now = told["delta", "authority_key"].certificates_end, renewed.house.clock.now()
        assert ends is not None
        assert GOOD_FOR - PERIOD < ends - now <= GOOD_FOR
        assert not any(secret in str(told) for secret in (*renewed.clear().values(), *renewed.clear("delta").values()))


class TestCertificates:
    def test_are_renewed_half_a_year_before_they_end(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(alpha={}, delta={}))
        assert renewed.renewing.renew_certificates() == []
        renewed.house.clock.turn(days=PERIOD.days)
        [run] = renewed.renewing.renew_certificates()
        assert renewed.renewing.renew_certificates() == [], "one is open"
        assert renewed.house.drive(run).state is RunState.SUCCEEDED
        assert renewed.steps(run) == ["delta.precheck", "delta.provision", "delta.verify"]
        certified = [v for k, v in renewed.house.assigned[-1].variables["here"].items() if k.endswith("_certified")]
        assert certified[0]["ends"] == renewed.renewing.listed()[1].certificates_end.isoformat()
        assert renewed.renewing.renew_certificates() == []

    def test_whose_renewal_would_change_something_else_are_left_to_people(
        self, renewed: RenewingHouse, caplog: pytest.LogCaptureFixture
    ) -> None:
        renewed.house.apply(order(alpha={}, delta={}))
        renewed.renewing.propose(AGENCY, "alpha")
        renewed.house.clock.turn(days=PERIOD.days)
        assert renewed.renewing.renew_certificates() == []
        assert "certificates of a-one are due, but its plan changes more" in caplog.text

    def test_of_one_run_stay_the_same_on_any_day_its_steps_are_carried_out(self, renewed: RenewingHouse) -> None:
        renewed.house.apply(order(delta={}))
        failed = renewed.rotate("delta", delta_verify=StepState.FAILED)
        renewed.house.clock.turn(days=PERIOD.days)
        renewed.house.drive(renewed.house.driving.resume(failed.id))
        told = [str(a.variables) for a in renewed.house.assigned if a.run == failed.id]
        assert len(set(told)) == 1
