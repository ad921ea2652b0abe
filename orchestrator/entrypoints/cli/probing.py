"""`orchestrator probe`: the health of an agency's services right now."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.options import AgencyId
from orchestrator.entrypoints.cli.output import AsJson, console, print_json
from orchestrator.entrypoints.cli.tables import new_table
from orchestrator.entrypoints.failures import MEANING

if TYPE_CHECKING:
    from orchestrator.domain.probing.readings import ProbeTarget, Reading

Component = Annotated[str | None, typer.Argument(help="Only this component.", metavar="COMPONENT")]


def probe(agency: AgencyId, component: Component = None, as_json: AsJson = False) -> None:
    """Use an agency's services now, as its users do. Exits with 1 when one is down, 75 when that cannot be determined.

    Example: orchestrator probe cabinet-office service-desk
    """
    with application() as app:
        found = app.probing.probe_now(agency, component)
    if as_json:
        print_json({"agency": agency, "probes": [_plain(target, reading) for target, reading in found]})
    else:
        _show(found)
    raise typer.Exit(_exit_code([reading for _, reading in found]))


def _exit_code(readings: "list[Reading]") -> int:
    from orchestrator.domain.errors import Kind
    from orchestrator.domain.probing.readings import worst
    from orchestrator.domain.service_levels.record import State

    means = {
        State.UP: 0,
        State.DOWN: MEANING[Kind.FAILED].exit_code,
        State.UNKNOWN: MEANING[Kind.UNAVAILABLE].exit_code,
    }
    return means[worst(reading.state for reading in readings)]


def _plain(target: "ProbeTarget", reading: "Reading") -> dict[str, Any]:
    return {
        "component": target.key.component,
        "probe": target.each.probe,
        "kind": target.kind.value,
        "target": target.address,
        "at": reading.at.isoformat(),
        "state": reading.state.value,
        "seconds": round(reading.seconds, 3),
        "detail": reading.detail,
    }


def _show(found: "list[tuple[ProbeTarget, Reading]]") -> None:
    from rich.markup import escape

    from orchestrator.entrypoints.cli.showing_agencies import HEALTH_STYLE

    table = new_table("service", "probe", "state", "took", "found")
    for target, reading in found:
        style = HEALTH_STYLE[reading.state]
        state, took = f"[{style}]{reading.state.value}[/]", f"{reading.seconds * 1000:.0f} ms"
        table.add_row(target.key.component, target.each.probe, state, took, escape(reading.detail))
    console.print(table)
