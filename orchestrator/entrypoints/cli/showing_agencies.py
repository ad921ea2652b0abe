"""Shows agencies on a terminal."""

from rich.markup import escape

from orchestrator.domain.service_levels.record import State
from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.tables import new_table
from orchestrator.usecases.observing import NOBODY_PROBES, AgencyView, ServiceView

HEALTH_STYLE = {State.UP: "green", State.DOWN: "red", State.UNKNOWN: "yellow"}


def show_agency(agency: AgencyView) -> None:
    left = f", offboarded {agency.offboarded_at:%Y-%m-%d}" if agency.offboarded_at else ""
    console.print(f"[bold]{agency.agency}[/] {escape(agency.name)}: {agency.framework}, site {agency.site}{left}")
    if agency.open_run:
        console.print(f"Run {agency.open_run} is open: orchestrator run follow {agency.open_run}")
    for held in agency.held_backups:
        console.print(f"Backups are held on {held.host} until {held.until:%Y-%m-%d}: orchestrator backup held")
    table = new_table("service", "tier", "status", "health", "hosts", "endpoints")
    for service in agency.services:
        endpoints = "\n".join(f"{e.name} {e.address}" for e in service.endpoints)
        hosts = "\n".join([", ".join(service.hosts), *(f"stale on {host}" for host in service.elsewhere)])
        table.add_row(service.component, service.tier, service.status, _health(service), hosts, escape(endpoints))
    console.print(table)
    for service in (service for service in agency.services if service.elsewhere):
        back = f"orchestrator recovery failback {agency.agency} {service.component}"
        console.print(f"The copy of {service.component} on {', '.join(service.elsewhere)} does not serve: {back}")
    if any(service.health_note == NOBODY_PROBES for service in agency.services):
        console.print("Health is known only while services are probed: orchestrator serve")


def _health(service: ServiceView) -> str:
    word = f"[{HEALTH_STYLE[service.health]}]{service.health.value}[/]"
    if service.health_since and service.health_note:
        return f"{word} when it was verified: {service.health_note}"
    if service.health_since:
        return f"{word} since {service.health_since:%Y-%m-%d %H:%M:%S}Z"
    return f"{word}: {service.health_note}" if service.health_note else word
