"""Drift: what is found on the hosts, beside what is recorded."""

from collections.abc import Iterable, Mapping

from orchestrator.domain.catalog import Verb
from orchestrator.domain.instance import InstanceState, ServiceInstance
from orchestrator.domain.plan import Plan, Purpose, Step
from orchestrator.domain.recovery_plan import basis_of, changeless_plan
from orchestrator.domain.site import Site


def comparable(recorded: Mapping[str, ServiceInstance]) -> tuple[str, ...]:
    """Components of an agency that should be on their hosts as recorded: those in service."""
    return tuple(sorted(c for c, i in recorded.items() if i.state is InstanceState.IN_SERVICE))


def drift_plan(agency: str, components: Iterable[str], *, recorded: Mapping[str, ServiceInstance], site: Site) -> Plan:
    """One step for each component, side by side."""
    steps = tuple(
        Step(
            id=f"{c}.{Verb.COMPARE}",
            component=c,
            verb=Verb.COMPARE,
            placement=recorded[c].hosts,
            needs=(),
            because="what is on its hosts may have changed",
        )
        for c in components
    )
    return changeless_plan(agency, Purpose.DRIFT, steps, site=site, basis=basis_of(components, recorded=recorded))
