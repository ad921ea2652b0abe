"""Months as the use-cases see them: declared, judged, closed, restated and reported."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.plan import Purpose
from orchestrator.domain.probing.readings import ProbeKey, Standing, StateChange
from orchestrator.domain.runs.run import RunState, StepState
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.service_levels.declaration_kind import DeclarationKind
from orchestrator.domain.service_levels.incidents import Incident
from orchestrator.domain.service_levels.rating import Rating
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.probing import KeptStanding
from orchestrator.usecases.service_levels.closing import Closing, MonthEnd
from orchestrator.usecases.service_levels.declaring import Declaring
from orchestrator.usecases.service_levels.judging import Judging
from orchestrator.usecases.service_levels.reporting import Reporting
from tests.domain.service_levels.vectors import is_bank_holiday, london
from tests.usecases.conftest import House, order

AGENCY = "a-one"
DECEMBER, JANUARY = CalendarMonth.named("2026-12"), CalendarMonth.named("2027-01")


@dataclass
class Contract:
    """An agency with alpha and beta in service since 1 December 2026, 09:00, measured up from then on."""

    house: House

    def __post_init__(self) -> None:
        source, store, clock = self.house.planning.source, self.house.store, self.house.clock
        self.judging = Judging(source=source, clock=clock, is_bank_holiday=is_bank_holiday)
        self.month_end = MonthEnd(store=store, judging=self.judging)
        self.declaring = Declaring(source=source, store=store, clock=clock)
        self.reporting = Reporting(store=store, judging=self.judging)
        clock.time = london("2026-12-01T08:00")
        self.house.apply(order(AGENCY, alpha={}, beta={}))
        for component in ("alpha", "beta"):
            self.becomes(component, "2026-12-01T08:00", State.UP)

    def becomes(self, component: str, at: str, state: State) -> None:
        self.probed(ProbeKey(AGENCY, component, "tcp"), london(at), state)

    def probed(self, key: ProbeKey, at: datetime, state: State) -> None:
        """As the prober keeps it."""
        standing = Standing(state, at, "a test says so")
        with self.house.store.begin() as tx:
            tx.transitions.record([(key, StateChange(at, state, "a test says so"))])
            tx.transitions.keep([KeptStanding(key, timedelta(minutes=1), standing)])

    def down(self, component: str, begins: str, ends: str) -> None:
        self.becomes(component, begins, State.DOWN)
        self.becomes(component, ends, State.UP)

    def declare(self, kind: DeclarationKind, component: str | None, begins: str, ends: str) -> int:
        start, end = datetime.fromisoformat(begins), datetime.fromisoformat(ends)
        return self.declaring.declare(kind, AGENCY, component, start=start, end=end, why="a test").declaration

    def at(self, wall: str) -> None:
        """It is that time, and probes have been read until now."""
        self.house.clock.time = london(wall)
        with self.house.store.begin() as tx:
            assert tx.prober.take("test", lease=timedelta(minutes=1))
            tx.prober.beat("test", read_until=london(wall))

    def close(self, month: CalendarMonth = DECEMBER) -> list[Closing]:
        return list(self.month_end.close(month))


@pytest.fixture
def contract(house: House) -> Iterator[Contract]:
    yield Contract(house)


def back_up(contract: Contract, wall: str) -> None:
    """One step of a backup that has ended well."""
    with contract.house.store.begin() as tx:
        plan = tx.plans.get(1)
        assert plan is not None
        [step, *_] = plan.plan.steps
        made = plan.plan.model_copy(
            update={"purpose": Purpose.BACKUP, "steps": (step.model_copy(update={"verb": Verb.BACKUP}),)}
        )
        run = tx.runs.open(tx.plans.add(made, order=None, at=london(wall)), at=london(wall))
        ended = {"started_at": london(wall), "finished_at": london(wall)}
        [recorded] = tx.runs.steps(run.id)
        tx.runs.put_step(run.id, recorded.model_copy(update={"state": StepState.SUCCEEDED, **ended}))
        tx.runs.put(run.model_copy(update={"state": RunState.SUCCEEDED, **ended}))


class TestAMonth:
    def test_is_closed_once_it_is_over(self, contract: Contract) -> None:
        contract.at("2026-12-31T23:59")
        with pytest.raises(OrchestratorError, match="2026-12 is not over") as refusal:
            contract.close()
        assert refusal.value.kind is Kind.CONFLICT
        contract.at("2027-01-01T00:00")
        [closed] = contract.close()
        assert (closed.version, closed.changed, closed.figures.credit) == (1, True, Decimal("0.00"))

    def test_costs_what_was_missed(self, contract: Contract) -> None:
        """Seven hours down, of 21 days and 9 h 59 min: 96.8 %, severe, 3 points of half a percent each."""
        contract.down("alpha", "2026-12-10T09:00", "2026-12-10T16:00")
        contract.at("2027-01-01T00:00")
        [closed] = contract.close()
        results = closed.figures.results
        assert (results["availability/alpha"].points, results["availability/beta"].points) == (3, 0)
        charges = closed.figures.charges
        assert closed.figures.credit == (charges * Decimal("0.015")).quantize(Decimal("0.01"))
        assert closed.credit_notes[0].amount == closed.figures.credit

    def test_that_is_closed_again_stays_as_it_is(self, contract: Contract) -> None:
        contract.at("2027-01-01T00:00")
        contract.close()
        contract.at("2027-01-20T00:00")
        contract.becomes("alpha", "2027-01-10T09:00", State.DOWN)
        with contract.house.store.begin() as tx:
            tx.incidents.put(AGENCY, "9", Incident(priority="p1", reported_at=london("2027-01-05T09:00")))
        [closed] = contract.close()
        assert (closed.version, closed.changed) == (1, False)

    def test_keeps_the_hours_and_charges_with_which_it_was_closed(self, contract: Contract) -> None:
        """In January the agency takes a dearer tier, which is served at all hours; in December it was down at night."""
        contract.down("alpha", "2026-12-10T19:00", "2026-12-10T23:00")
        contract.at("2027-01-04T09:00")
        [closed] = contract.close()
        contract.house.apply(order(AGENCY, alpha={"tier": "large"}, beta={}))
        [again] = contract.close()
        assert (again.changed, again.figures) == (False, closed.figures)
        contract.at("2027-02-01T00:00")
        [january] = contract.close(JANUARY)
        assert january.figures.charges > closed.figures.charges

    def test_counts_backups_whose_records_are_no_longer_kept(self, contract: Contract) -> None:
        back_up(contract, "2026-12-10T09:00")
        contract.at("2027-01-01T00:00")
        [closed] = contract.close()
        assert closed.figures.results["backups"].achieved.percent == 100
        with contract.house.store.begin() as tx:
            assert tx.backups.forget(before=contract.house.clock.now(), limit=10) == 1
        assert contract.close()[0].changed is False

    def test_is_restated_after_late_evidence_with_a_credit_note_for_the_difference(self, contract: Contract) -> None:
        contract.down("alpha", "2026-12-10T09:00", "2026-12-10T16:00")
        contract.at("2027-01-01T00:00")
        contract.close()
        excused = contract.declare(DeclarationKind.EXCLUSION, "alpha", "2026-12-10T09:00", "2026-12-10T13:00")
        assert contract.close()[0].figures.credit != 0, "nobody has accepted it"
        contract.declaring.accept(excused, by="Jo Bloggs")
        [closed] = contract.close()
        assert closed.changed
        assert closed.figures.results["availability/alpha"].points == 1
        owed = [note.amount for note in closed.credit_notes]
        assert sum(owed) == closed.figures.credit
        assert owed[-1] < 0

    def test_that_misses_again_doubles_its_points_and_is_restated_with_the_month_before(
        self, contract: Contract
    ) -> None:
        contract.down("alpha", "2026-12-10T09:00", "2026-12-10T16:00")
        contract.down("alpha", "2027-01-12T09:00", "2027-01-12T16:00")
        contract.at("2027-02-01T00:00")
        with pytest.raises(OrchestratorError, match="2026-12 of a-one is not closed"):
            contract.close(JANUARY)
        contract.close()
        [january] = contract.close(JANUARY)
        assert january.figures.results["availability/alpha"].points == 2 * 3
        excused = contract.declare(DeclarationKind.EXCLUSION, None, "2026-12-10T00:00", "2026-12-11T00:00")
        contract.declaring.accept(excused, by="Jo Bloggs")
        december, january = contract.close()
        assert december.figures.credit == 0
        assert (january.month, january.version) == ("2027-01", 2)
        assert january.figures.results["availability/alpha"].points == 3

    def test_without_any_service_cannot_be_closed(self, contract: Contract) -> None:
        with pytest.raises(OrchestratorError, match="no agency had anything in service in 2026-11"):
            contract.close(CalendarMonth.named("2026-11"))

    def test_that_was_not_measured_is_provisional_and_not_up(self, contract: Contract) -> None:
        contract.becomes("alpha", "2026-12-02T09:00", State.UNKNOWN)
        contract.at("2027-01-01T00:00")
        [closed] = contract.close()
        assert closed.figures.results["availability/alpha"].achieved.provisional
        assert closed.figures.provisional


def test_a_service_without_probes_has_no_availability(contract: Contract) -> None:
    """gamma comes into service, and nobody ever probes it; alpha and beta are probed."""
    contract.house.apply(order(AGENCY, alpha={}, beta={}, gamma={}))
    contract.at("2026-12-03T08:00")
    assert {service.component for service in contract.reporting.report(AGENCY).services} == {"alpha", "beta"}
    counted = {component for _, component, _ in contract.house.observing.snapshot().service_levels.coverage}
    assert counted == {"alpha", "beta"}


class TestMaintenance:
    def test_with_notice_and_acceptance_is_no_downtime(self, contract: Contract) -> None:
        number = contract.declare(DeclarationKind.MAINTENANCE, "alpha", "2026-12-10T09:00", "2026-12-10T16:00")
        contract.declaring.accept(number, by="Jo Bloggs")
        contract.down("alpha", "2026-12-10T09:00", "2026-12-10T16:00")
        contract.at("2027-01-01T00:00")
        assert contract.close()[0].figures.results["availability/alpha"].achieved.percent == 100

    def test_that_overran_is_downtime_beyond_its_plan(self, contract: Contract) -> None:
        number = contract.declare(DeclarationKind.MAINTENANCE, "alpha", "2026-12-10T09:00", "2026-12-10T10:00")
        contract.declaring.accept(number, by="Jo Bloggs")
        contract.at("2026-12-10T12:00")
        contract.declaring.end(number)
        [alpha, _] = contract.reporting.report(AGENCY).services
        assert alpha.bad == 2 * 3600

    def test_announced_too_late_shows_why_it_does_not_count(self, contract: Contract) -> None:
        contract.at("2026-12-09T09:00")
        number = contract.declare(DeclarationKind.MAINTENANCE, "alpha", "2026-12-10T09:00", "2026-12-10T10:00")
        view = contract.declaring.accept(number, by="Jo Bloggs")
        assert view.objection == "announced 1 d before its start; the contract requires 5 d"

    @pytest.mark.parametrize(
        ("component", "begins", "ends", "complaint"),
        [
            ("gamma", "2026-12-10T09:00", "2026-12-10T10:00", "a-one has no 'gamma'"),
            ("alpha", "2026-12-10T09:00", "2026-12-10T09:00", "which is not after its start"),
            ("alpha", "2027-03-28T01:30", "2027-03-28T04:00", "never show 2027-03-28T01:30"),
        ],
    )
    def test_that_is_impossible_is_refused(
        self, contract: Contract, component: str, begins: str, ends: str, complaint: str
    ) -> None:
        with pytest.raises(OrchestratorError, match=complaint):
            contract.declare(DeclarationKind.MAINTENANCE, component, begins, ends)
        assert contract.declaring.newest() == []

    def test_is_accepted_only_once(self, contract: Contract) -> None:
        number = contract.declare(DeclarationKind.MAINTENANCE, "alpha", "2026-12-10T09:00", "2026-12-10T10:00")
        contract.declaring.accept(number, by="Jo Bloggs")
        with pytest.raises(OrchestratorError, match="was accepted by Jo Bloggs"):
            contract.declaring.accept(number, by="Somebody else")
        outage = contract.declare(DeclarationKind.OUTAGE, "alpha", "2026-12-10T09:00", "2026-12-10T10:00")
        with pytest.raises(OrchestratorError, match="needs no acceptance"):
            contract.declaring.accept(outage, by="Jo Bloggs")


class TestAReport:
    def test_shows_the_current_month_up_to_now(self, contract: Contract) -> None:
        contract.down("alpha", "2026-12-02T09:00", "2026-12-02T10:00")
        contract.at("2026-12-03T08:00")
        report = contract.reporting.report(AGENCY)
        alpha, beta = report.services
        assert (report.month, report.version, report.provisional) == ("2026-12", None, True)
        assert [day.bad for day in alpha.days] == [0, 3600, 0]
        assert beta.percent == 100
        lines = {line.measure: line for line in report.measures}
        assert lines["availability/alpha"].rating is Rating.INADEQUATE
        assert lines["availability/beta"].rating is Rating.GOOD
        assert lines["drills"].rating is Rating.OTHER
        assert [line.in_time for line in report.onboardings] == [True]

    def test_shows_a_closed_month_as_it_was_stated_with_the_months_before(self, contract: Contract) -> None:
        contract.at("2027-02-01T00:00")
        contract.close()
        contract.close(JANUARY)
        contract.declare(DeclarationKind.OUTAGE, None, "2027-01-11T08:00", "2027-01-11T18:00")
        report = contract.reporting.report(AGENCY, JANUARY)
        assert report.version == 1
        assert [point.month for point in report.trend] == ["2026-12", "2027-01"]
        assert {service.bad for service in report.services} == {0}, "the outage came later"
        assert contract.close(JANUARY)[0].version == 2
        restated = contract.reporting.report(AGENCY, JANUARY)
        assert {service.bad for service in restated.services} == {36_000}
        told = [(line.component, line.kind, line.ends_at - line.starts_at) for line in restated.agreed]
        assert told == [(name, DeclarationKind.OUTAGE, timedelta(hours=10)) for name in ("alpha", "beta")]

    def test_lists_incidents_by_the_desks_clock(self, contract: Contract) -> None:
        told = {"reported_at": london("2026-12-04T17:00"), "responded_at": london("2026-12-07T08:30")}
        with contract.house.store.begin() as tx:
            tx.incidents.put(AGENCY, "7", Incident.model_validate({"priority": "p1", **told}))
        contract.at("2026-12-07T12:00")
        [line] = contract.reporting.report(AGENCY).incidents
        assert (line.response.elapsed, line.response.outcome) == (timedelta(minutes=90), "late")
        assert (line.fix.elapsed, line.fix.outcome) == (timedelta(hours=5), "late")

    def test_of_all_agencies_has_one_line_for_each(self, contract: Contract) -> None:
        contract.at("2026-12-03T08:00")
        [line] = contract.reporting.overview()
        assert (line.agency, line.lowest_availability, line.coverage) == (AGENCY, 100, 1)
        assert contract.reporting.overview(CalendarMonth.named("2026-10")) == []


def test_service_ends_when_the_agency_leaves(contract: Contract) -> None:
    contract.at("2026-12-10T12:00")
    plan = contract.house.planning.plan_offboarding(AGENCY)
    contract.house.drive(contract.house.provisioning.open_run(plan.id))
    contract.at("2027-01-01T00:00")
    [closed] = contract.close()
    with contract.house.store.read() as tx:
        ends = {served.end.astimezone(UTC).day for served in tx.months.record(AGENCY, DECEMBER).services}
    assert (closed.agency, ends) == (AGENCY, {10})
