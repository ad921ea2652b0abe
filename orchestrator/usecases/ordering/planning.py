"""Planning: reading a call-off, checking it against the agreement, and planning it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.domain.charging.charges import Agreed
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.allocation import Allocation, Spot, lowest_free
from orchestrator.domain.estate.site import Site
from orchestrator.domain.events import PlanMade
from orchestrator.domain.ordering.accounts import strangers
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.certificates import superseded
from orchestrator.domain.ordering.contract import refusals
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance, existing
from orchestrator.domain.ordering.order_part import part_of
from orchestrator.domain.ordering.plan import Basis, Plan, PlanOptions
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.ordering.pool_requests import requests
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement
from orchestrator.domain.selling.schema import call_off_schema, schema_for_editors
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.outside import Clock
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, find_plan
from orchestrator.usecases.ordering.checking import checked, refused
from orchestrator.usecases.ordering.holding import refuse_somebody_else

PLAN_VALIDITY = timedelta(hours=24)
"""How long a plan keeps its reservations in the site's pools."""

TRIES = 5
"""How often planning is repeated because the records changed meanwhile. Only steps of the agency's own run and its
other orders change them."""


EVERYTHING = PlanOptions()

CERTIFICATES = "certificates"
"""What plans call certificates whose next period has begun."""


class Known(NamedTuple):
    """The records that an agency's plan is computed from. `framework` is set for an agency that leaves."""

    site: str
    framework: str | None
    recorded: Mapping[str, ServiceInstance]
    held: Mapping[str, Allocation]
    drifted: Mapping[str, int]
    renewed: Mapping[str, tuple[str, ...]]
    agreed: Agreed | None


@dataclass(frozen=True)
class Planning:
    source: CatalogSource
    store: Store
    clock: Clock

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a call-off file, for editors."""
        source = self.source
        return schema_for_editors(source.catalog(), source.bundles(), source.agreements(), source.sites())

    def read(self, path: Path) -> CallOff:
        """The call-off in a file. Raises with all problems at once, each with its line."""
        document, catalog, agreements = self.source.document(path), self.source.catalog(), self.source.agreements()
        bundles = self.source.bundles()
        shape = call_off_schema(catalog, bundles, agreements, self.source.sites())
        call_off = checked(path, document, shape, agreements, catalog, bundles)
        with self.store.read() as tx:
            agreed = self._agreed(tx.agencies.get(call_off.agency.id))
            recorded = tx.instances.of(call_off.agency.id)
        unchangeable = refusals(agreed, call_off) if agreed else ()
        if kept := [document.problem(at, refusal) for at, refusal in unchangeable]:
            raise refused(path, kept, kind=Kind.CONFLICT, hint=_leave_first(call_off.agency.id))
        if unknown := [document.problem(at, refusal) for at, refusal in strangers(call_off, recorded, catalog)]:
            raise refused(path, unknown, kind=Kind.INVALID)
        return call_off

    def another_name(self, call_off: CallOff) -> str | None:
        """The recorded name of the agency with this id if the order has another. It may be another agency."""
        with self.store.read() as tx:
            record = tx.agencies.get(call_off.agency.id)
        return record.name if record and record.name != call_off.agency.name else None

    def plan(self, order: CallOff, options: PlanOptions = EVERYTHING, *, renamed: bool = False) -> StoredPlan:
        """Plan the order, reserve what it needs from the site's pools, and store the plan. Refuses an order whose name
        differs from the recorded one, unless the agency was `renamed`.

        Others may write while the plan is computed. It is stored if the records it was computed from are unchanged.
        """
        agency, site = order.agency.id, self.source.site(order.site)
        fresh: list[str] = []
        for _ in range(TRIES):
            with self.store.begin() as tx:
                record = tx.agencies.get(agency)
                self._refuse_unchangeable(record, order)
                refuse_somebody_else(tx, record, order, renamed=renamed)
                call_off = self._part(tx, order, record, options)
                fresh += self._reserve(tx, call_off, site)
                known = self._read_known(tx, agency, site=site.name)
            try:
                plan = make_plan(self._basis(known, agency, call_off, site=site, options=options))
                _check_placement(plan)
                with self.store.begin() as tx:
                    if self._read_known(tx, agency, site=site.name) == known:
                        check_ceiling(tx, plan, self.agreement(call_off.framework))
                        return self._keep(tx, plan, call_off)
            except OrchestratorError:
                self._give_up(agency, fresh)
                raise
        raise changed_meanwhile(agency)

    def plan_offboarding(self, agency: str, options: PlanOptions = EVERYTHING) -> StoredPlan:
        """The plan that removes everything the agency has."""
        with self.store.begin() as tx:
            return self.keep_offboarding(tx, agency, options)

    def keep_offboarding(self, tx: Transaction, agency: str, options: PlanOptions) -> StoredPlan:
        """The same, within the caller's transaction."""
        return self._keep(tx, self._offboarding(tx, agency, options), None)

    def stored(self, plan: int) -> StoredPlan:
        """A stored plan."""
        with self.store.read() as tx:
            return find_plan(tx, plan)

    def known(self, tx: Transaction, stored: StoredPlan) -> Known:
        """The records that a stored plan would be computed from now."""
        agency = stored.plan.agency
        if stored.order is not None:
            return self._read_known(tx, agency, site=stored.order.site)
        leaving = find_agency(tx, agency)
        return self._read_known(tx, agency, site=leaving.site, framework=leaving.framework)

    def still_true(self, known: Known, stored: StoredPlan) -> bool:
        """Whether planning again would give the same plan."""
        return self._replan(known, stored).digest == stored.plan.digest

    def agreement(self, framework: str) -> FrameworkAgreement:
        try:
            return self.source.agreements()[framework]
        except KeyError:
            raise OrchestratorError(Kind.NOT_FOUND, f"there is no framework agreement {framework!r}") from None

    def _replan(self, known: Known, stored: StoredPlan) -> Plan:
        if stored.order:
            names = [request.name for request in requests(stored.order, self.source.catalog())]
            if lost := [name for name in names if name not in known.held]:
                raise OrchestratorError(
                    Kind.CONFLICT,
                    f"plan {stored.id} has lost its reservations ({', '.join(lost)})",
                    hint="plan again",
                )
        site, options = self.source.site(known.site), stored.plan.options
        return make_plan(self._basis(known, stored.plan.agency, stored.order, site=site, options=options))

    def _offboarding(self, tx: Transaction, agency: str, options: PlanOptions) -> Plan:
        leaving = find_agency(tx, agency)
        known = self._read_known(tx, agency, site=leaving.site, framework=leaving.framework)
        return make_plan(self._basis(known, agency, None, site=self.source.site(leaving.site), options=options))

    def _part(self, tx: Transaction, order: CallOff, record: AgencyRecord | None, options: PlanOptions) -> CallOff:
        """The part of the order that is planned; the rest stays as it was ordered."""
        recorded = record.call_off if record and record.offboarded_at is None else None
        served = existing(tx.instances.of(order.agency.id))
        return part_of(order, recorded, options.target, served=served, catalog=self.source.catalog())

    def _basis(self, known: Known, agency: str, call_off: CallOff | None, *, site: Site, options: PlanOptions) -> Basis:
        allocations = known.held
        if call_off:
            allocations = {r.name: allocations[r.name] for r in requests(call_off, self.source.catalog())}
        framework = call_off.framework if call_off else known.framework
        assert framework is not None
        return Basis(
            agency=agency,
            call_off=call_off,
            agreement=self.agreement(framework),
            catalog=self.source.catalog(),
            site=site,
            recorded=known.recorded,
            allocations=allocations,
            held=known.held,
            drifted=known.drifted,
            renewed=known.renewed,
            agreed=known.agreed if call_off else None,
            options=options,
        )

    def _keep(self, tx: Transaction, plan: Plan, order: CallOff | None) -> StoredPlan:
        now = self.clock.now()
        stored = tx.plans.add(plan, order=order, at=now)
        tx.events.add([PlanMade(plan=stored.id, digest=plan.digest)], agency=plan.agency, at=now)
        return stored

    def _reserve(self, tx: Transaction, call_off: CallOff, site: Site) -> list[str]:
        """Reserve for the agency what the order needs and it does not hold. Returns the names of the reservations."""
        now, agency, catalog = self.clock.now(), call_off.agency.id, self.source.catalog()
        tx.allocations.forget_reserved(before=now - PLAN_VALIDITY)
        held = tx.allocations.of(agency, site=site.name)
        missing = [request for request in requests(call_off, catalog) if request.name not in held]
        for request in missing:
            if request.pool not in site.pools:
                raise OrchestratorError(
                    Kind.INVALID, f"site {site.name} has no pool {request.pool!r}, which the order needs"
                )
            spot = _free_spot(tx, site, request.pool)
            block = Allocation(site=site.name, pool=request.pool, block=spot.block, agency=agency, name=request.name)
            tx.allocations.add(block, at=now, position=spot.position)
        return [request.name for request in missing]

    def _give_up(self, agency: str, names: list[str]) -> None:
        """Release what was reserved for a plan that was not stored."""
        if names:
            with self.store.begin() as tx:
                tx.allocations.give_up(agency, names)

    def _read_known(self, tx: Transaction, agency: str, *, site: str, framework: str | None = None) -> Known:
        recorded, held = tx.instances.of(agency), tx.allocations.of(agency, site=site)
        drifted = tx.runs.drifted(agency) if recorded else {}
        proposed = tx.secrets.proposed(agency) if recorded else {}
        renewed, agreed = self._renewed(agency, site, recorded, proposed), self._agreed(tx.agencies.get(agency))
        return Known(site, framework, recorded, held, drifted, renewed, agreed)

    def _agreed(self, record: AgencyRecord | None) -> Agreed | None:
        """None if the agency is not in service."""
        if record is None or record.offboarded_at is not None:
            return None
        zone = self.agreement(record.framework).service_levels.hours.zone
        return Agreed(call_off=record.call_off, rates=record.rates, on=self.clock.now().astimezone(zone).date())

    def _refuse_unchangeable(self, record: AgencyRecord | None, call_off: CallOff) -> None:
        agreed = self._agreed(record)
        for _, refusal in refusals(agreed, call_off) if agreed else ():
            raise OrchestratorError(Kind.CONFLICT, refusal, hint=_leave_first(call_off.agency.id))

    def _renewed(
        self,
        agency: str,
        site: str,
        recorded: Mapping[str, ServiceInstance],
        proposed: Mapping[str, Mapping[str, bytes]],
    ) -> dict[str, tuple[str, ...]]:
        """Recorded secrets and certificates of the agency that its hosts do not have yet."""
        catalog, now = self.source.catalog(), self.clock.now()
        found: dict[str, tuple[str, ...]] = {}
        for component, instance in recorded.items():
            what = tuple(f"secrets.{name}" for name in sorted(proposed.get(component, {})))
            if catalog.components[component].certified and instance.state is InstanceState.IN_SERVICE:
                domain = f"{agency}.{self.source.site(site).domain}"
                if superseded(domain, issued=instance.changed_at, now=now):
                    what = (*what, CERTIFICATES)
            if what:
                found[component] = what
        return found


def changed_meanwhile(agency: str) -> OrchestratorError:
    return OrchestratorError(
        Kind.CONFLICT, f"the records of {agency} change faster than a plan can be computed", hint="plan again"
    )


def _free_spot(tx: Transaction, site: Site, pool: str) -> Spot:
    """The first free block of a pool."""
    gap = tx.allocations.first_gap(site.name, pool)
    block = None if gap is None else site.pools[pool].block(gap)
    if gap is not None and block is not None and not tx.allocations.held(site.name, pool, block):
        return Spot(gap, block)
    # The pool is full, or its definition has changed since blocks were given out: look at every one.
    taken = tx.allocations.taken(site.name, pool)
    return lowest_free(site.pools[pool], taken=taken, named=f"{pool} of {site.name}")


def _leave_first(agency: str) -> str:
    return f"put it back in the file, or end this contract first: orchestrator agency offboard {agency}"


def check_ceiling(tx: Transaction, plan: Plan, agreement: FrameworkAgreement) -> None:
    """Committed plus new may reach the agreement's ceiling, but not exceed it."""
    total = tx.agencies.committed(agreement.framework, without=plan.agency) + plan.cost.term_total
    if total > agreement.ceiling:
        raise OrchestratorError(
            Kind.NOT_COVERED,
            f"{agreement.title} would exceed its ceiling of £{agreement.ceiling:,.2f}: £{total:,.2f} with this order",
            hint="order less or a shorter term, or use another framework agreement",
        )


def _check_placement(plan: Plan) -> None:
    for step in plan.steps:
        if empty := [function for function, hosts in step.placement.items() if not hosts]:
            raise OrchestratorError(
                Kind.INVALID, f"site {plan.site} has no host for {step.component} ({', '.join(empty)})"
            )
