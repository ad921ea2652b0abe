"""Who probes, what is kept of readings, and what silence means for them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.adapters.keys.secret_box import SecretBox
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.domain.probing.readings import ProbeTarget, Reading, last_slot
from orchestrator.domain.runs.assignment import by_host, password_of
from orchestrator.domain.runs.run import StepState
from orchestrator.domain.selling.catalog import Tenancy
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.figures import ProbeCounts
from orchestrator.ports.probing import Person
from orchestrator.usecases.observing import ServiceView
from orchestrator.usecases.probing import watching as probing
from orchestrator.usecases.probing.discovering import discover
from orchestrator.usecases.probing.targeting import Targeting
from orchestrator.usecases.probing.watching import Probing
from tests.conftest import WORLD
from tests.probed import probed_catalog, timelines
from tests.usecases.conftest import House, order

UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN
EVERY = timedelta(minutes=1)
LEASE = timedelta(seconds=0.2)
PROBES = (
    '{kind: tcp, target: "{place_address}:80", every: PT1M}',
    '{kind: ssh, target: "{place_address}", every: PT5M, login: {people: people, name: "x-{person}"}}',
)


@dataclass
class Hosts:
    """Hosts of the site, which are asked for their files, or do not answer."""

    asked: list[str] = field(default_factory=list)
    away: bool = False

    @contextmanager
    def connect(self, site: Site, host: str) -> Iterator[Any]:
        self.asked.append(host)
        if self.away:
            raise OrchestratorError(Kind.UNAVAILABLE, f"{host} does not answer")
        yield self

    def read(self, file: str) -> str:
        return f"what {file} says"


@dataclass(frozen=True)
class Watch:
    """Probers of the house, and what they have written down."""

    house: House
    targeting: Targeting

    def prober(self, name: str) -> Probing:
        counts = ProbeCounts()
        return Probing(self.house.store, self.house.clock, self.targeting, name, counts)

    def target(self) -> ProbeTarget:
        return self.targeting.targets()[0]

    def hear(self, prober: Probing, state: State) -> bool:
        """One reading at this instant, of which the clock says that all was read."""
        now = self.house.clock.now()
        return prober.heard([(self.target(), Reading(now, state, state.value))], read_until=now)

    def timeline(self) -> list[tuple[datetime, State]]:
        with self.house.store.read() as tx:
            return [(t.at, t.state) for t in timelines(tx, "a-one", "alpha").get("tcp", ())]

    def health(self) -> tuple[State, datetime | None]:
        observing = replace(self.house.observing, source=self.targeting.source)
        service = observing.agency("a-one").services[0]
        return service.health, service.health_since


@pytest.fixture
def watch(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Watch:
    """With one agency in service."""
    monkeypatch.setattr(probing, "PROBER_LEASE", LEASE)
    catalog = probed_catalog(tmp_path, *getattr(request, "param", PROBES[:1]), trust="/etc/ca.pem")
    source = CatalogFiles(catalog_dir=catalog, inventories_dir=WORLD / "inventories", playbooks_dir=WORLD / "playbooks")
    house.apply(order("a-one"))
    return Watch(house, Targeting(source, house.store, house.clock, SecretBox(tmp_path / "key"), Hosts()))


def test_a_verification_is_the_first_reading_until_a_probe_is_overdue(watch: Watch) -> None:
    def service() -> ServiceView:
        return replace(watch.house.observing, source=watch.targeting.source).agency("a-one").services[0]

    prober, verified = watch.prober("p"), watch.house.clock.now()
    assert (service().health, service().health_since, service().health_note) == (UP, verified, "nobody probes")
    watch.house.clock.turn(minutes=2)
    assert watch.health() == (UP, verified)
    watch.house.clock.turn(seconds=1)
    assert watch.health() == (UNKNOWN, None)
    assert prober.take()
    assert prober.heard([], read_until=watch.house.clock.now())
    assert service().health_note == "first probe due"
    assert watch.hear(prober, DOWN)
    assert (service().health, service().health_note) == (DOWN, None)


class TestSeveralHosts:
    """Of a service that has dedicated hosts."""

    def targets(self, watch: Watch, *hosts: str, enough: int = 2) -> list[ProbeTarget]:
        return [watch.target()._replace(host=host, hosts=len(hosts), enough=enough) for host in hosts]

    def hear(self, watch: Watch, prober: Probing, *found: tuple[ProbeTarget, State]) -> None:
        watch.house.clock.turn(seconds=10)
        now = watch.house.clock.now()
        assert prober.heard([(t, Reading(now, state, state.value)) for t, state in found], read_until=now)

    def states(self, watch: Watch) -> list[State]:
        return [state for _, state in watch.timeline()]

    def test_are_one_service_and_down_when_too_few_are_up(self, watch: Watch) -> None:
        prober, (one, two) = watch.prober("p"), self.targets(watch, "m1", "m2")
        assert prober.take()
        self.hear(watch, prober, (one, UP))
        assert self.states(watch) == [], "the other was not read yet"
        self.hear(watch, prober, (two, UP))
        self.hear(watch, prober, (two, DOWN))
        self.hear(watch, prober, (one, UP))
        self.hear(watch, prober, (two, UP))
        assert self.states(watch) == [UP, DOWN, UP]

    def test_need_only_one_of_two_to_be_up_where_that_is_declared(self, watch: Watch) -> None:
        prober, (one, two) = watch.prober("p"), self.targets(watch, "m1", "m2", enough=1)
        assert prober.take()
        self.hear(watch, prober, (one, UP), (two, DOWN))
        self.hear(watch, prober, (one, DOWN))
        assert self.states(watch) == [UP, DOWN]

    def test_that_are_read_while_the_database_is_away_are_recorded_in_order(
        self, watch: Watch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prober, (one, two) = watch.prober("p"), self.targets(watch, "m1", "m2")
        assert prober.take()
        self.hear(watch, prober, (one, UP), (two, UP))
        start = watch.house.clock.now()
        seen = [(two, DOWN), (two, UP), (one, UP)]
        offered = [(t, Reading(start + n * timedelta(seconds=9), s, s.value)) for n, (t, s) in enumerate(seen, start=1)]
        watch.house.clock.turn(seconds=30)
        now = watch.house.clock.now()

        def away() -> None:
            raise OrchestratorError(Kind.UNAVAILABLE, "the database is away")

        with monkeypatch.context() as patched:
            patched.setattr(type(prober.store), "begin", lambda _: away())
            with pytest.raises(OrchestratorError, match="away"):
                prober.heard(offered, read_until=now)
        assert prober.heard(offered, read_until=now)
        told = [((at - start).total_seconds(), state) for at, state in watch.timeline()]
        assert told == [(0, UP), (9, DOWN), (18, UP)]

    def test_that_were_removed_do_not_count(self, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
        prober, (one, two) = watch.prober("p"), self.targets(watch, "m1", "m2")
        assert prober.take()
        self.hear(watch, prober, (one, UP), (two, UP))
        others = self.targets(watch, "m1", "m3")
        monkeypatch.setattr(watch.targeting, "targets", lambda: others)
        assert prober.targets() == others
        self.hear(watch, prober, (others[0], DOWN))
        assert self.states(watch) == [UP], "m3 was not read yet, and m2 is nobody's"
        self.hear(watch, prober, (others[1], UP))
        assert self.states(watch) == [UP, DOWN]

    def test_are_probed_each_at_its_own_address(self, watch: Watch) -> None:
        component = watch.targeting.source.catalog().components["alpha"]
        with watch.house.store.read() as tx:
            recorded = tx.instances.of("a-one")["alpha"]
        instance = recorded.model_copy(update={"hosts": {"place": ("m1", "m2", "gone")}})
        site = watch.targeting.source.site(watch.target().site)
        places = {
            m: site.hosts["m1"].model_copy(update={"name": m, "address": f"192.0.2.{m[1]}"}) for m in ("m1", "m2")
        }
        site = site.model_copy(update={"hosts": places})
        alone = component.model_copy(update={"tenancy": Tenancy.DEDICATED})
        facts = {"place_address": "192.0.2.1"}
        each = by_host("{place_address}:80", alone, instance, facts, site=site)
        assert each == [("m1", {"place_address": "192.0.2.1"}), ("m2", {"place_address": "192.0.2.2"})]
        for other in ({"tenancy": Tenancy.SHARED}, {"tenancy": Tenancy.DEDICATED, "shared": ("place",)}):
            shared = component.model_copy(update=other)
            assert by_host("{place_address}:80", shared, instance, facts, site=site) == [(None, facts)]


class TestAProbe:
    def test_is_made_only_of_live_services(self, watch: Watch) -> None:
        target = watch.target()
        assert (target.key, target.address) == (("a-one", "alpha", "tcp"), "127.0.0.1:80")
        watch.house.apply(order("a-two"), alpha_verify=StepState.FAILED)
        assert [t.key.agency for t in watch.targeting.targets()] == ["a-one"]
        watch.house.apply(order("a-two"))
        assert [t.key.agency for t in watch.targeting.targets()] == ["a-one", "a-two"]
        plan = watch.house.planning.plan_offboarding("a-one")
        watch.house.drive(watch.house.provisioning.open_run(plan.id))
        assert [t.key.agency for t in watch.targeting.targets()] == ["a-two"]

    def test_of_a_component_that_the_agency_does_not_have_is_refused(self, watch: Watch) -> None:
        with pytest.raises(OrchestratorError, match="there is no beta of a-one to probe"):
            watch.targeting.of("a-one", "beta")

    @pytest.mark.parametrize("watch", [PROBES[1:]], indirect=True)
    def test_logs_in_as_a_person_with_the_agencys_own_password(self, watch: Watch) -> None:
        [target] = watch.targeting.targets()
        with pytest.raises(OrchestratorError, match="the probe cannot log in: there is nobody among people"):
            watch.targeting.prepare(target)
        with watch.house.store.begin() as tx:
            instance = tx.instances.of("a-one")["alpha"]
            people = {**instance.parameters, "people": ["ann", "bob"]}
            tx.instances.put(instance.model_copy(update={"parameters": people}))
            secret = watch.targeting.secrets.open(tx.secrets.of("a-one", "alpha")["token"])
        prepared = watch.targeting.prepare(target)
        assert prepared.person == Person("x-ann", password_of("ann", secret))
        assert "ann" not in repr(prepared)
        with watch.house.store.begin() as tx:
            tx.secrets.forget("a-one", "alpha")
        with pytest.raises(OrchestratorError, match="the probe cannot log in: there is no secret token"):
            watch.targeting.prepare(target)

    @pytest.mark.parametrize(
        "watch", [('{kind: http, target: "https://{place_address}/", every: PT1M}',)], indirect=True
    )
    def test_learns_whom_to_trust_from_its_host_once_for_all_agencies(self, watch: Watch) -> None:
        hosts, clock = watch.targeting.hosts, watch.house.clock
        assert isinstance(hosts, Hosts)
        watch.house.apply(order("a-two"))
        targets = watch.targeting.targets()
        hosts.away = True
        for target in targets:
            with pytest.raises(
                OrchestratorError, match="it is unknown whom to trust for the service: here does not answer"
            ):
                watch.targeting.prepare(target)
        assert hosts.asked == ["here"]
        hosts.away = False
        clock.turn(minutes=1)
        assert [watch.targeting.prepare(t).trust for t in targets] == ["what /etc/ca.pem says"] * 2
        assert hosts.asked == ["here"] * 2

    def test_learns_whom_to_trust_from_a_file_of_each_agency(self, watch: Watch, tmp_path: Path) -> None:
        probe = '{kind: ldap, target: "ldaps://{place_address}", every: PT1M}'
        (tmp_path / "own").mkdir()
        catalog = probed_catalog(tmp_path / "own", probe, trust="/etc/{agency_id}/ca.pem")
        assert isinstance(watch.targeting.source, CatalogFiles)
        targeting = replace(watch.targeting, source=replace(watch.targeting.source, catalog_dir=catalog))
        watch.house.apply(order("a-two"))
        told = [targeting.prepare(target).trust for target in targeting.targets()]
        assert told == ["what /etc/a-one/ca.pem says", "what /etc/a-two/ca.pem says"]

    def test_may_be_discovered_by_others(self, watch: Watch) -> None:
        [found] = discover(watch.targeting.targets(), "tcp")
        assert found == ("a-one", "alpha", "bench", "127.0.0.1:80", "tcp_connect")
        assert discover(watch.targeting.targets(), "http") == []
        with pytest.raises(OrchestratorError, match="discovery has no kind 'sip'"):
            discover(watch.targeting.targets(), "sip")


class TestOneProber:
    def test_keeps_transitions_and_no_samples(self, watch: Watch) -> None:
        one, clock = watch.prober("one"), watch.house.clock
        assert one.take()
        began = clock.now()
        for state in (UP, UP, UP, DOWN, DOWN, UP, UP):
            clock.turn(minutes=1)
            assert watch.hear(one, state)
        minutes = [(round((at - began) / EVERY), state) for at, state in watch.timeline()]
        assert minutes == [(1, UP), (4, DOWN), (6, UP)]
        assert watch.health() == (UP, began + 6 * EVERY)
        assert one.counts.readings == {UP: 5, DOWN: 2, UNKNOWN: 0}

    def test_that_fell_silent_leaves_nothing_up(self, watch: Watch) -> None:
        one, clock = watch.prober("one"), watch.house.clock
        assert one.take()
        assert watch.hear(one, UP)
        clock.turn(seconds=61)
        assert watch.health()[0] is UP
        clock.turn(minutes=2)
        assert watch.health()[0] is UNKNOWN

    def test_records_unknown_for_services_it_does_not_get_to(self, watch: Watch) -> None:
        one, clock = watch.prober("one"), watch.house.clock
        assert one.take()
        assert watch.hear(one, UP)
        read = clock.now()
        clock.turn(minutes=3)
        assert one.heard([], read_until=clock.now())
        assert watch.timeline() == [(read, UP), (read + EVERY, UNKNOWN)]

    def test_records_unknown_for_services_that_are_gone(self, watch: Watch) -> None:
        one, clock = watch.prober("one"), watch.house.clock
        assert one.take()
        assert watch.hear(one, UP)
        plan = watch.house.planning.plan_offboarding("a-one")
        watch.house.drive(watch.house.provisioning.open_run(plan.id))
        assert one.targets() == []
        assert one.heard([], read_until=clock.now())
        assert [state for _, state in watch.timeline()] == [UP, UNKNOWN]


class TestTwoProbers:
    def test_take_turns(self, watch: Watch) -> None:
        one, two = watch.prober("one"), watch.prober("two")
        assert one.take()
        assert not two.take()
        one.leave()
        assert two.take()
        assert not one.take()
        assert not watch.hear(one, DOWN)
        assert watch.timeline() == []

    def test_leave_an_unknown_gap_when_one_is_killed(self, watch: Watch) -> None:
        one, two, clock = watch.prober("one"), watch.prober("two"), watch.house.clock
        assert one.take()
        assert watch.hear(one, UP)
        first, last = clock.now(), last_slot(watch.target().key, EVERY, clock.now())
        time.sleep(2 * LEASE.total_seconds())
        clock.turn(minutes=10)
        assert two.take()
        assert watch.timeline() == [(first, UP), (max(last, first) + EVERY, UNKNOWN)]
        assert watch.hear(two, UP)
        assert watch.timeline()[2:] == [(clock.now(), UP)]
        assert not watch.hear(one, DOWN)

    def test_leave_no_gap_when_the_other_continues_soon(self, watch: Watch) -> None:
        one, two, clock = watch.prober("one"), watch.prober("two"), watch.house.clock
        assert one.take()
        assert watch.hear(one, DOWN)
        first = clock.now()
        one.leave()
        clock.turn(seconds=50)
        assert two.take()
        assert watch.hear(two, DOWN)
        assert watch.timeline() == [(first, DOWN)]
