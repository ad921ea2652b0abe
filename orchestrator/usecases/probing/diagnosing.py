"""Diagnosing: the health of services, from the records of their probes. Reads only."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.probing.readings import PATIENCE, Standing, as_of, worst
from orchestrator.domain.selling.catalog import Catalog, Component
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.store import Transaction


class Health(NamedTuple):
    """The health of a service, since when (None: it was never probed), and the standing of each probe."""

    state: State
    since: datetime | None
    probes: Mapping[str, Standing]


UNPROBED = Health(State.UNKNOWN, None, {})
"""Never counts as up."""


def diagnose(
    tx: Transaction, catalog: Catalog, *, now: datetime, agency: str | None = None
) -> dict[tuple[str, str], Health]:
    """(agency, component) -> health, of all agencies or one."""
    read_until = tx.prober.read_until()
    if read_until is None:
        return {}
    found: dict[tuple[str, str], dict[str, Standing]] = {}
    for key, every, standing in tx.transitions.standings(agency):
        in_force = as_of(key, standing, every, read_until=read_until, now=now)
        found.setdefault((key.agency, key.component), {})[key.probe] = in_force
    return {
        (whose, component): _health(catalog.components[component], standings)
        for (whose, component), standings in found.items()
        if component in catalog.components
    }


def first_reading(component: Component, instance: ServiceInstance, *, now: datetime) -> Health:
    """The health of a service that was not probed yet: the result of its verification, for as long as a reading
    counts."""
    every = min((probe.every for probe in component.probes), default=None)
    if instance.state is not InstanceState.IN_SERVICE or every is None or now - instance.changed_at > PATIENCE * every:
        return UNPROBED
    return Health(State.UP, instance.changed_at, {})


def _health(component: Component, standings: Mapping[str, Standing]) -> Health:
    """Health by the probes that the component has today; a probe that has not run yet is unknown."""
    said = {probe.id: standings.get(probe.id) for probe in component.probes}
    state = worst(standing.state if standing else State.UNKNOWN for standing in said.values())
    known = {probe: standing for probe, standing in said.items() if standing}
    since = [standing.since for standing in known.values() if standing.state is state]
    if not since:
        return Health(state, None, known)
    # Down since the first probe failed; up since the last one recovered.
    return Health(state, max(since) if state is State.UP else min(since), known)
