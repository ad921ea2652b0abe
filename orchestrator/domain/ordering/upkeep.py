"""Plans that change nothing of an agency's services: they check them, back them up or rehearse their recovery."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from orchestrator.domain.charging.cost import Cost
from orchestrator.domain.estate.site import Site
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Plan, Purpose, Step
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import digest_of


def side_by_side(
    agency: str,
    purpose: Purpose,
    verb: Verb,
    components: Sequence[str],
    *,
    because: str,
    recorded: Mapping[str, ServiceInstance],
    site: Site,
) -> Plan:
    """One step for each component, all independent."""
    steps = tuple(
        Step(id=f"{c}.{verb}", component=c, verb=verb, placement=recorded[c].hosts, needs=(), because=because)
        for c in components
    )
    return bare_plan(agency, purpose, steps, site=site.name, basis=_basis(components, recorded=recorded))


def _basis(components: Sequence[str], *, recorded: Mapping[str, ServiceInstance]) -> str:
    return digest_of([recorded[c].model_dump(mode="json", exclude={"changed_at", "error"}) for c in components])


def bare_plan(agency: str, purpose: Purpose, steps: tuple[Step, ...], *, site: str, basis: str) -> Plan:
    """A plan that changes nothing ordered and costs nothing."""
    return Plan(
        agency=agency,
        purpose=purpose,
        site=site,
        changes=(),
        steps=steps,
        allocations={},
        cost=Cost(lines=(), per_year=Decimal(0), term_total=Decimal(0)),
        desired={},
        basis=basis,
    )
