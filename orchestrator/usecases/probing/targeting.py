"""Targeting: which services are live, where their probes go, and what each probe needs to run."""

import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.domain.ordering.accounts import password_secret, who_may_log_in
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.ordering.instance import InstanceState, ServiceInstance
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget
from orchestrator.domain.runs.assignment import by_host, endpoint_facts, password_of
from orchestrator.domain.selling.catalog import Component, Login, Probe, ProbeKind, Tenancy
from orchestrator.ports.catalog import CatalogSource
from orchestrator.ports.drilling import RecoveryHosts
from orchestrator.ports.outside import Clock
from orchestrator.ports.probing import Person, Prepared
from orchestrator.ports.secrets import Secrets
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency, in_service

LIVE = (InstanceState.IN_SERVICE, InstanceState.UPDATING)
"""States in which a service is available to its users."""

TRUSTING = (ProbeKind.HTTP, ProbeKind.LDAP, ProbeKind.RT, ProbeKind.SSH)
"""Kinds that authenticate the server, if the component says whom to trust."""

GOOD_FOR = timedelta(minutes=1)
"""How long a host's answer about whom to trust is valid, and how long a host that gave none is not asked again. It is
asked only for probes that are new or have just failed."""

Vouching = tuple[str, str, str]
"""Site, host, and the file on it that says whom to trust."""


class Told(NamedTuple):
    """A host's answer, or why there is none, until when it is valid, and for which version of a dedicated service."""

    version: datetime | None
    until: datetime
    answer: str | OrchestratorError


@dataclass
class Targeting:
    source: CatalogSource
    store: Store
    clock: Clock
    secrets: Secrets
    hosts: RecoveryHosts
    _known: dict[str, tuple[object, tuple[ProbeTarget, ...]]] = field(default_factory=dict)
    """Agency -> the input that its targets were made from, and the targets."""
    _trust: dict[Vouching, Told] = field(default_factory=dict)
    _asking: defaultdict[Vouching, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def targets(self, agency: str | None = None) -> list[ProbeTarget]:
        """The probes of every live service, of all agencies or one. Agencies that have not changed since the last call
        are not read again."""
        found: list[ProbeTarget] = []
        with self.store.read() as tx:
            recorded = in_service(tx, agency)
            for record, instances in recorded:
                found += self._of(tx, record, [i for i in instances.values() if i.state in LIVE])
        if agency is None:
            gone = self._known.keys() - {record.id for record, _ in recorded}
            for left in gone:
                self._known.pop(left, None)
        return found

    def of(self, agency: str, component: str | None = None) -> list[ProbeTarget]:
        """The probes of an agency's live services, or one of them. Raises NOT_FOUND if there is nothing to probe."""
        found = [t for t in self.targets(agency) if component in (None, t.key.component)]
        if not found:
            what = f"no {component} of {agency}" if component else f"nothing of {agency}"
            raise OrchestratorError(
                Kind.NOT_FOUND,
                f"there is {what} to probe",
                hint="services with probes in the catalog are probed while they are in service or being updated",
            )
        return found

    def _of(self, tx: Transaction, record: AgencyRecord, live: list[ServiceInstance]) -> tuple[ProbeTarget, ...]:
        site = self.source.site(record.site)
        made_of = (site, *((i.component, i.changed_at) for i in live))
        if record.id not in self._known or self._known[record.id][0] != made_of:
            allocations = tx.allocations.of(record.id, site=site.name)
            targets = tuple(
                target
                for instance in live
                for target in self._resolve(
                    instance, site, endpoint_facts(instance, agency=record.id, site=site, allocations=allocations)
                )
            )
            self._known[record.id] = (made_of, targets)
        return self._known[record.id][1]

    def _resolve(self, instance: ServiceInstance, site: Site, facts: Mapping[str, str]) -> Iterable[ProbeTarget]:
        component = self.source.catalog().components[instance.component]
        for probe in component.probes:
            key = ProbeKey(instance.agency, instance.component, probe.id)
            places = by_host(probe.target, component, instance, facts, site=site)
            enough = math.ceil(probe.enough * len(places))
            for host, known in places:
                address, refusal = "", None
                try:
                    address = probe.target.format_map({name: value for name, value in known.items() if value})
                except KeyError as missing:
                    refusal = f"there is no {missing.args[0]} for {probe.target}"
                made = ProbeTarget(key, probe.kind, site.name, address, probe.every, instance.changed_at, refusal)
                yield made._replace(host=host, hosts=len(places), enough=enough)

    def prepare(self, target: ProbeTarget) -> Prepared:
        """What the probe needs besides its target. Raises an OrchestratorError that says why the probe cannot run."""
        if target.refusal:
            raise OrchestratorError(Kind.INVALID, target.refusal)
        component, probe = self._probe(target)
        vouched = target.kind in TRUSTING and component.recovery.trust is not None
        if not probe.login and not vouched:
            return Prepared(target)
        with self.store.read() as tx:
            services = tx.instances.of(target.key.agency)
            instance = services[component.component]
            person = self._person(tx, instance, services, probe.login) if probe.login else None
        trust = self._vouching(target, component, instance) if vouched else None
        return Prepared(target, person=person, trust=trust)

    def _probe(self, target: ProbeTarget) -> tuple[Component, Probe]:
        component = self.source.catalog().components[target.key.component]
        return component, next(probe for probe in component.probes if probe.id == target.key.probe)

    def _person(
        self, tx: Transaction, instance: ServiceInstance, services: Mapping[str, ServiceInstance], login: Login
    ) -> Person:
        catalog = self.source.catalog()
        source, secret = password_secret(instance, login.people, catalog)
        sealed = tx.secrets.of(instance.agency, source).get(secret)
        people = who_may_log_in(instance, login.people, services, catalog)
        if sealed is None or not people:
            missing = f"nobody among {login.people}" if sealed else f"no secret {secret}"
            raise OrchestratorError(Kind.CONFLICT, f"the probe cannot log in: there is {missing}")
        record = find_agency(tx, instance.agency)
        site = self.source.site(record.site)
        facts = endpoint_facts(instance, agency=record.id, site=site, allocations={})
        name = login.name.format_map({**facts, "person": people[0]})
        return Person(name, password_of(people[0], self.secrets.open(sealed)))

    def _vouching(self, target: ProbeTarget, component: Component, instance: ServiceInstance) -> str:
        """Whom to trust for the live service, read from its own host over ssh, which checks that host independently."""
        trust = component.recovery.trust
        assert trust is not None
        asked = (target.site, target.host or instance.hosts[trust.function][0], trust.file_of(instance.agency))
        version = target.version if component.tenancy is Tenancy.DEDICATED else None
        with self._asking[asked]:  # services of many agencies that share a host ask it once
            told = self._trust.get(asked)
            if told is None or told.version != version or told.until <= self.clock.now():
                told = self._trust[asked] = self._ask(*asked, version=version)
        if isinstance(told.answer, OrchestratorError):
            raise told.answer
        return told.answer

    def _ask(self, site: str, host: str, file: str, *, version: datetime | None) -> Told:
        """A host's answer, or why there is none, and until when it is valid."""
        try:
            with self.hosts.connect(self.source.site(site), host) as connected:
                return Told(version, self.clock.now() + GOOD_FOR, connected.read(file))
        except OrchestratorError as error:
            why = OrchestratorError(error.kind, f"it is unknown whom to trust for the service: {error.message}")
            return Told(version, self.clock.now() + GOOD_FOR, why)
