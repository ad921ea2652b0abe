"""What people are asked to do: from the ticket to the end of the run that waits for it."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.adapters.keys.secret_box import SecretBox
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.instance import InstanceState
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.runs.run import Run, RunState, StepOutcome, StepState
from orchestrator.domain.runs.work_order import Jeopardy
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.ports.probing import Prepared
from orchestrator.ports.work_orders import Commission, Progress, Ticket
from orchestrator.usecases.ordering.commissioning import Commissioning
from orchestrator.usecases.probing.targeting import Targeting
from tests.conftest import WORLD
from tests.domain.service_levels.vectors import is_bank_holiday
from tests.usecases.conftest import House, order
from tests.usecases.probing.test_watching import Hosts

DESK = (WORLD / "catalog/components/alpha.yml").read_text().replace("component: alpha", "component: service-desk")
DESK = DESK.replace("subnet: agency_networks", "desk_subnet: agency_networks")
DESK += 'probes:\n  - {kind: rt, target: "http://{place_address}/{agency_id}", every: PT1M}\n'
TRAINING = """
component: training
title: Training
description: Trains people.
tenancy: shared
needs: [service-desk]
work:
  provision: {title: Train everybody, checklist: [Everybody was there.]}
  verify: {title: Have it accepted, checklist: [The contact said yes.]}
  retire: {title: Forget everybody, checklist: [No list is left.]}
parameters: {type: object, additionalProperties: false, properties: {place: {enum: [here, there], default: here}}}
tiers:
  standard:
    title: Soon
    within: {provision: PT20H, verify: PT10H, retire: PT10H}
    price: {per: agency, per_year: "100.00"}
    watts: 0
"""
WORK = {"service-desk": {}, "training": {}}


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> CatalogFiles:
    """The small world, where training by people is sold too."""
    world = tmp_path_factory.mktemp("world")
    shutil.copytree(WORLD / "catalog", world / "catalog")
    (world / "catalog/components/service-desk.yml").write_text(DESK)
    (world / "catalog/components/training.yml").write_text(TRAINING)
    terms = world / "catalog/frameworks/trial.yml"
    terms.write_text(terms.read_text().replace("more: [epsilon]", "more: [epsilon, service-desk, training]"))
    inventories, playbooks = WORLD / "inventories", WORLD / "playbooks"
    return CatalogFiles(catalog_dir=world / "catalog", inventories_dir=inventories, playbooks_dir=playbooks)


@dataclass
class PaperDesk:
    """Implements ServiceDesk on paper: subject -> status, and what was said last."""

    tickets: dict[str, list[str]] = field(default_factory=dict)
    works: bool = True

    def open(self, prepared: Prepared, reference: str, title: str, text: str, due_at: datetime) -> Ticket:
        self._require(prepared)
        found = next((subject for subject in self.tickets if subject.startswith(reference)), f"{reference} {title}")
        status = self.tickets.setdefault(found, ["new", text])
        if status[0] == "rejected":
            status[0] = "open"
        return Ticket(found, f"http://desk/{found}")

    def look(self, prepared: Prepared, tickets: Collection[str]) -> dict[str, Progress]:
        self._require(prepared)
        ends = {"resolved": (True, None), "rejected": (True, "nobody came")}
        return {ticket: Progress(*ends.get(self.tickets[ticket][0], (False, None))) for ticket in tickets}

    def withdraw(self, prepared: Prepared, ticket: str, why: str) -> None:
        self._require(prepared)
        self.tickets[ticket] = ["rejected", why]

    def set(self, verb: str, status: str) -> None:
        [subject] = [subject for subject in self.tickets if f"training.{verb}:" in subject]
        self.tickets[subject][0] = status

    def statuses(self) -> list[str]:
        return [status for status, _ in self.tickets.values()]

    def _require(self, prepared: Prepared) -> None:
        assert prepared.target.address == "http://127.0.0.1/a-one"
        if not self.works:
            raise OrchestratorError(Kind.UNAVAILABLE, "the desk is closed")


@dataclass(frozen=True)
class Office:
    """The house, and people who work."""

    house: House
    desk: PaperDesk
    commissioning: Commissioning

    def drive(self, run: Run, **ends: StepState) -> Run:
        """The run until no worker can do more, as the engine would."""
        driving = self.house.driving
        self.house.admit()
        with self.house.store.read() as tx:
            attempt = tx.runs.get(run.id).attempt
        assert driving.begin(run.id, attempt)
        while steps := driving.next_steps(run.id).ready:
            for step in steps:
                self.house.clock.turn(seconds=10)
                started = driving.start(run.id, step.id, worker="w")
                assert started is not None
                end = ends.get(step.id.replace(".", "_").replace("-", "_"), StepState.SUCCEEDED)
                outcome = StepOutcome(state=end)
                if isinstance(started.work, Commission):
                    outcome = self.commissioning.run(started.work, on_events=lambda _: None, cancelled=lambda: False)
                driving.finish(started, outcome)
        return driving.conclude(run.id, attempt)

    def order(self, call_off: CallOff | None = None, **ends: StepState) -> Run:
        house = self.house
        plan = house.planning.plan(call_off or order(**WORK))
        return self.drive(house.provisioning.open_run(plan.id), **ends)

    def look(self) -> list[int]:
        return self.commissioning.look(self.house.driving)

    def finish(self, run: Run, verb: str, status: str) -> Run:
        """People set the ticket's status, the orchestrator sees it, and a worker does what it can."""
        self.desk.set(verb, status)
        assert self.look() == [run.id]
        return self.drive(run)

    def states(self, run: Run) -> dict[str, str]:
        return {step.id: step.state for step in self.house.observing.run(run.id).steps}


@pytest.fixture
def office(house: House, small_world: CatalogFiles, tmp_path: Path) -> Office:
    targeting = Targeting(small_world, house.store, house.clock, SecretBox(tmp_path / "key"), Hosts())
    desk = PaperDesk()
    return Office(house, desk, Commissioning(small_world, house.store, house.clock, targeting, desk, is_bank_holiday))


class TestARunWithPeoplesWork:
    def test_waits_for_them_without_a_worker(self, office: Office) -> None:
        run = office.order()
        assert (run.state, run.worker, run.finished_at) == (RunState.WAITING, None, None)
        assert office.states(run)["training.provision"] == "waiting"
        assert office.look() == []
        view = office.house.observing.run(run.id)
        assert view.waits_for == "for people: ticket Work order 1 training.provision: Train everybody, " \
            "due 2026-11-24 18:00Z"  # fmt: skip
        assert office.house.states("a-one") == {"service-desk": "in_service", "training": "provisioning"}

    def test_goes_on_when_they_have_finished_and_again_until_it_is_accepted(self, office: Office) -> None:
        run = office.finish(office.order(), "provision", "resolved")
        assert run.state is RunState.WAITING
        run = office.finish(run, "verify", "resolved")
        assert run.state is RunState.SUCCEEDED
        assert office.house.states("a-one")["training"] == "in_service"
        assert office.commissioning.orders() == []

    def test_fails_with_the_reason_for_which_they_refuse(self, office: Office) -> None:
        run = office.finish(office.order(), "provision", "rejected")
        assert (run.state, run.error) == (RunState.FAILED, "training.provision failed")
        [error] = [step.error for step in office.house.observing.run(run.id).steps if step.error]
        assert "was rejected: nobody came" in error
        assert office.house.states("a-one")["training"] == "failed"

    def test_reopens_the_same_ticket_when_it_is_resumed(self, office: Office) -> None:
        run = office.finish(office.order(), "provision", "rejected")
        office.drive(office.house.driving.resume(run.id))
        assert office.desk.statuses() == ["open"]
        assert office.finish(run, "provision", "resolved").state is RunState.WAITING

    def test_opens_one_ticket_although_its_worker_dies_before_that_is_recorded(self, office: Office) -> None:
        run = office.house.provisioning.open_run(office.house.planning.plan(order(**WORK)).id)
        driving, ran = office.house.driving, office.commissioning.run

        def dies(work: Commission, **how: object) -> StepOutcome:
            ran(work, **how)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            replace(office, commissioning=_Dying(dies)).drive(run)  # type: ignore[arg-type]
        office.drive(driving.resume(run.id) if run.state is RunState.FAILED else run)
        assert office.desk.statuses() == ["new"]
        assert office.states(run)["training.provision"] == "waiting"

    def test_tries_again_while_the_desk_does_not_answer(self, office: Office) -> None:
        office.desk.works = False
        run = office.order()
        assert (run.state, run.error) == (RunState.FAILED, "training.provision unreachable")

    def test_goes_on_later_while_the_desk_does_not_answer(self, office: Office) -> None:
        run = office.order()
        office.desk.set("provision", "resolved")
        office.desk.works = False
        assert office.look() == []
        office.desk.works = True
        assert office.look() == [run.id]

    def test_withdraws_their_tickets_when_it_is_cancelled(self, office: Office) -> None:
        run = office.order()
        assert office.house.driving.cancel(run.id).state is RunState.CANCELLED
        assert office.states(run)["training.provision"] == "cancelled"
        assert office.commissioning.orders() == []
        office.look()
        assert office.desk.tickets["Work order 1 training.provision: Train everybody"][0] == "rejected"
        with office.house.store.read() as tx:
            assert tx.work_orders.all() == []

    def test_that_is_resumed_while_its_ticket_is_being_withdrawn_does_not_wait_for_ever(self, office: Office) -> None:
        run = office.order()
        office.house.driving.cancel(run.id)
        withdraw = office.desk.withdraw

        def resumed_meanwhile(prepared: Prepared, ticket: str, why: str) -> None:
            office.drive(office.house.driving.resume(run.id))
            withdraw(prepared, ticket, why)

        office.desk.withdraw = resumed_meanwhile  # type: ignore[method-assign]
        assert office.look() == []
        assert office.states(run)["training.provision"] == "waiting"
        assert office.look() == [run.id]
        assert office.drive(run).state is RunState.FAILED

    def test_fails_if_the_agency_has_no_desk_that_can_be_used(self, office: Office) -> None:
        run = office.order(order(**WORK), service_desk_verify=StepState.SUCCEEDED)
        office.house.driving.cancel(run.id)
        with office.house.store.begin() as tx:
            desk = tx.instances.of("a-one")["service-desk"]
            tx.instances.put(desk.model_copy(update={"state": InstanceState.FAILED}))
        assert office.drive(office.house.driving.resume(run.id)).error == "training.provision unreachable"
        [error] = [step.error for step in office.house.observing.run(run.id).steps if step.error]
        assert "a-one has no service desk in service for its work orders" in error

    def test_withdraws_their_tickets_when_another_step_fails(self, office: Office) -> None:
        services = {**WORK, "alpha": {}, "beta": {}}
        run = office.order(order(**services), beta_verify=StepState.FAILED)
        assert run.state is RunState.FAILED
        assert office.states(run)["training.provision"] == "cancelled"
        office.look()
        assert office.desk.statuses() == ["rejected"]

    def test_goes_on_at_once_if_they_finish_before_its_worker_leaves_it(self, office: Office) -> None:
        house = office.house
        concluded = house.driving.conclude

        def too_late(run: int, attempt: int) -> Run:
            office.desk.set("provision", "resolved")
            assert office.look() == []  # the run is still its worker's
            return concluded(run, attempt)

        driving = _Late(house.driving, too_late)
        run = replace(office, house=replace(house, driving=driving)).order()  # type: ignore[arg-type]
        assert run.state is RunState.QUEUED
        assert office.drive(run).state is RunState.WAITING
        assert office.states(run)["training.verify"] == "waiting"


class TestAnAgencyWhoseRunWaits:
    def test_can_have_other_runs_that_change_nothing_meanwhile(self, office: Office) -> None:
        run = office.order()
        with office.house.store.begin() as tx:
            plan = tx.plans.get(run.plan)
            backup = plan.model_copy(update={"plan": plan.plan.model_copy(update={"purpose": Purpose.BACKUP})})
            other = tx.runs.open(backup, at=office.house.clock.now())
        office.desk.set("provision", "resolved")
        assert office.look() == [], "one run of an agency is open at a time"
        with office.house.store.begin() as tx:
            tx.runs.put(other.model_copy(update={"state": RunState.SUCCEEDED}))
        assert office.look() == [run.id]

    def test_cannot_be_changed_until_it_is_given_up(self, office: Office) -> None:
        run = office.order()
        with pytest.raises(OrchestratorError, match="waits for people") as refused:
            office.order(order(**{"service-desk": {}}))
        assert refused.value.kind is Kind.CONFLICT
        assert f"orchestrator run cancel {run.id}" in (refused.value.hint or "")
        office.house.driving.cancel(run.id)
        again = office.order(order(**{"service-desk": {}}))
        assert office.states(again)["training.retire"] == "waiting"


class TestAWorkOrder:
    def test_is_due_after_its_service_time(self, office: Office) -> None:
        """Ordered on a Sunday: 20 hours of ten a day end on Tuesday evening."""
        office.order()
        [view] = office.commissioning.orders("a-one")
        assert view.order.due_at == datetime(2026, 11, 24, 18, tzinfo=UTC)
        assert view.order.at_risk_at == datetime(2026, 11, 24, 13, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("hours", "stands"), [(0, Jeopardy.ON_TIME), (53, Jeopardy.AT_RISK), (58, Jeopardy.OVERDUE)]
    )
    def test_shows_whether_it_is_in_jeopardy(self, office: Office, hours: int, stands: Jeopardy) -> None:
        run = office.order()
        office.house.clock.turn(hours=hours)
        assert [view.jeopardy for view in office.commissioning.orders()] == [stands]
        assert office.house.observing.snapshot().work_orders == (("a-one", "training", stands.value, 1),)
        word = {Jeopardy.ON_TIME: "Z", Jeopardy.AT_RISK: ", at risk", Jeopardy.OVERDUE: ", overdue"}[stands]
        assert (office.house.observing.run(run.id).waits_for or "").endswith(word)

    def test_tells_people_what_to_do_and_for_whom(self, office: Office) -> None:
        office.order()
        [(_, text)] = office.desk.tickets.values()
        assert text == (
            "Train everybody.\n\nAgency: a-one\nContact: M, manager, m@a.example\nService: Training, standard\n"
            "place: here\nDue: 2026-11-24 18:00 UTC\n\nBefore you resolve this ticket:\n[ ] Everybody was there.\n\n"
            "Resolve it when all of this is done. If it cannot be done, say why in a comment and reject it.\n"
        )


@dataclass(frozen=True)
class _Dying:
    run: object


@dataclass(frozen=True)
class _Late:
    """A driver whose worker is slow to leave a run."""

    driving: object
    conclude: object

    def __getattr__(self, name: str) -> object:
        return getattr(self.driving, name)
