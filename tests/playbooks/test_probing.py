"""Service levels of a real desk: its web server is stopped for a measured time, and an incident takes its course; the
timeline, the counters, the month and its report show both.

The desk has the premium tier, with service at all hours: tests run at night, too.
"""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn

from orchestrator.bootstrap import Application, build, initialise
from orchestrator.domain.runs.run import RunState
from orchestrator.domain.service_levels.incidents import IncidentPriority, Outcome
from orchestrator.domain.service_levels.record import State, Timeline
from orchestrator.entrypoints.http.server import configuration
from orchestrator.settings import Settings
from tests.conftest import ROOT
from tests.monitoring.conftest import watching
from tests.playbooks.conftest import Steps, run_in_rt
from tests.playbooks.grounds import PracticeHome
from tests.playbooks.rehearsals import AGENCY, DESK, Rehearsals, wait_until
from tests.playbooks.test_drills import CALL_OFF
from tests.postgres import free_port
from tests.probed import timelines

EVERY, TICKET_EVERY = timedelta(seconds=4), timedelta(seconds=30)
"""A probe has half its interval to be answered: by a busy machine, and a ticket is several questions."""
OUTAGE_SECONDS, WITHIN = 45.0, 300.0
UP, DOWN = State.UP, State.DOWN
PAUSE = timedelta(seconds=2)
TICKET = """
my $ticket = RT::Ticket->new($all);
my ($number, undef, $said) = $ticket->Create(
    Queue => '{id}', Subject => 'Nobody can log in', Requestor => 'jane@{id}.example', Priority => 100);
die $said unless $number;
print $number;
"""


@pytest.fixture(scope="module")
def probed(practice: PracticeHome, steps: Steps, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The agency is in service, and its desk is probed every four seconds."""
    practice.boot(["gw1", "desk1", "recover1"])
    home = tmp_path_factory.mktemp("probing")
    (home / "sites").symlink_to(practice.home / "sites")
    shutil.copytree(ROOT / "catalog", home / "catalog")
    desk = home / "catalog/components/service-desk.yml"
    desk.write_text(desk.read_text().replace("every: PT1M", "every: PT4S").replace("every: PT15M", "every: PT30S"))
    settings = Settings(home=home, inventories=practice.inventories, catalog=home / "catalog")
    initialise(settings)
    (home / "call-off.yml").write_text(
        CALL_OFF.replace("service-desk: {tier: standard}", "service-desk: {tier: premium}")
    )
    done = threading.Event()
    with build(settings) as app:
        made = Rehearsals(app, steps)
        plan = app.ordering.planning.plan(app.ordering.planning.read(home / "call-off.yml"))
        onboarded = made.carry(app.ordering.provisioning.open_run(plan.id))
        assert onboarded.state is RunState.SUCCEEDED, onboarded.error
        prober = threading.Thread(target=app.probing.probe, args=(done.is_set,))
        prober.start()
        yield app
        done.set()
        prober.join()


def timeline(app: Application, probe: str) -> Timeline:
    with app.base.store.read() as tx:
        return timelines(tx, AGENCY, DESK).get(probe, ())


def test_probes_use_the_desk_as_its_agents_do(probed: Application) -> None:
    wait_until(lambda: [t.state for t in timeline(probed, "rt")] == [UP], seconds=WITHIN)
    found = {target.key.probe: reading for target, reading in probed.probing.probe_now(AGENCY, DESK)}
    assert found["http"].state is UP, found["http"].detail
    assert found["rt"].detail.endswith("opened, read and resolved")


def test_an_outage_is_measured_to_the_interval_and_somebody_is_called(
    probed: Application, steps: Steps, tmp_path: Path
) -> None:
    """By a real Prometheus and a real Alertmanager, whose alerts fire here without delay."""
    wait_until(lambda: [t.state for t in timeline(probed, "http")] == [UP], seconds=WITHIN)
    alert = ("ServiceDown", AGENCY, DESK)
    with serving(probed) as port, watching(tmp_path, orchestrator=port) as watchers:
        assert alert not in watchers.firing()
        steps.on("desk1", "systemctl stop nginx")
        stopped = datetime.now(UTC)
        time.sleep(OUTAGE_SECONDS)
        wait_until(lambda: alert in watchers.firing() & watchers.arrived(), seconds=WITHIN)
        steps.on("desk1", "systemctl start nginx")
        started = datetime.now(UTC)
        wait_until(lambda: alert not in watchers.firing(), seconds=WITHIN)
    wait_until(lambda: [t.state for t in timeline(probed, "http")] == [UP, DOWN, UP], seconds=WITHIN)
    _, down, up = timeline(probed, "http")
    second = timedelta(seconds=1)
    assert stopped - 2 * second <= down.at <= stopped + EVERY
    assert started - 2 * second <= up.at <= started + EVERY + second
    services = {s.component: s for s in probed.observing.agency(AGENCY).services}
    assert services[DESK].health_since is not None
    truth = (started - stopped).total_seconds()
    wait_until(lambda: [t.state for t in timeline(probed, "rt")][-2:] == [DOWN, UP], seconds=WITHIN)
    since = timeline(probed, "rt")[-1].at
    wait_until(lambda: read_until(probed) > max(since, up.at), seconds=WITHIN)
    assert (up.at - down.at).total_seconds() <= bad_seconds(probed)
    assert abs(bad_seconds(probed) - truth) <= TICKET_EVERY.total_seconds() + 2
    [desk] = [
        service for service in probed.service_levels.reporting.report(AGENCY).services if service.component == DESK
    ]
    assert desk.bad == bad_seconds(probed)
    assert sum(day.bad for day in desk.days) == desk.bad


@contextmanager
def serving(app: Application) -> Iterator[int]:
    """What `serve` answers, at a port."""
    port = free_port()
    config = configuration(app, "127.0.0.1", port)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield port
    server.should_exit = True
    thread.join()


def read_until(app: Application) -> datetime:
    with app.base.store.read() as tx:
        reached = tx.prober.read_until()
    assert reached is not None
    return reached


def bad_seconds(app: Application) -> float:
    """As a scrape tells it."""
    figures = app.observing.snapshot().service_levels
    return next(seconds for agency, component, seconds in figures.bad_seconds if (agency, component) == (AGENCY, DESK))


def test_an_incident_is_judged_by_the_desks_own_record(probed: Application, steps: Steps) -> None:
    """Reported with the highest priority, answered, left waiting for the customer, taken up again and resolved."""
    number = run_in_rt(steps, TICKET.replace("{id}", AGENCY)).strip()
    for status in ("open", "stalled", "open", "resolved"):
        time.sleep(PAUSE.total_seconds())
        run_in_rt(steps, f"my $t = RT::Ticket->new($all); $t->Load({number}); $t->SetStatus('{status}');")
    assert probed.probing.gathering.gather() >= 1
    with probed.base.store.read() as tx:
        incidents = tx.incidents.within(AGENCY, datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC))
    assert list(incidents) == [number], "tickets of probes are no incidents"
    incident = incidents[number]
    assert incident.responded_at is not None
    assert incident.fixed_at is not None
    assert len(incident.holds) == 1
    fixed_at = incident.fixed_at
    wait_until(lambda: read_until(probed) > fixed_at, seconds=WITHIN)  # a month that goes on is known so far
    [line] = [line for line in probed.service_levels.reporting.report(AGENCY).incidents if line.number == number]
    held = incident.holds[0].end - incident.holds[0].start if incident.holds[0].end else timedelta()
    assert held >= PAUSE - timedelta(seconds=1)
    assert line.priority is IncidentPriority.P1
    assert line.fix.elapsed == incident.fixed_at - incident.reported_at - held
    assert (line.response.outcome, line.fix.outcome) == (Outcome.IN_TIME, Outcome.IN_TIME)
