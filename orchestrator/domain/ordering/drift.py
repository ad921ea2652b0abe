"""Plans that only look at hosts: drift checks, against what is recorded, and verification, as users would."""

from collections.abc import Mapping

from orchestrator.domain.estate.site import Site
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.ordering.plan import Plan, Purpose
from orchestrator.domain.ordering.upkeep import side_by_side
from orchestrator.domain.selling.catalog import Verb


def comparable(recorded: Mapping[str, ServiceInstance]) -> tuple[str, ...]:
    """An agency's components in service that should be on their hosts as recorded. Those that people deliver have
    none."""
    return tuple(sorted(c for c, i in recorded.items() if i.state is InstanceState.IN_SERVICE and i.hosts))


def drift_plan(agency: str, *, recorded: Mapping[str, ServiceInstance], site: Site) -> Plan:
    """A drift check of everything comparable."""
    because = "what is on its hosts may have changed"
    components = comparable(recorded)
    return side_by_side(agency, Purpose.DRIFT, Verb.COMPARE, components, because=because, recorded=recorded, site=site)


def verification_plan(
    agency: str, component: str | None, *, recorded: Mapping[str, ServiceInstance], site: Site
) -> Plan:
    """A verification of the same services, or of one of them, as their users would."""
    because = "somebody asked whether users can use it"
    components = [one for one in comparable(recorded) if component in (None, one)]
    return side_by_side(agency, Purpose.VERIFY, Verb.VERIFY, components, because=because, recorded=recorded, site=site)
