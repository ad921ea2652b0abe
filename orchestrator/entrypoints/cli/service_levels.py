"""`orchestrator sla`: service levels, declarations and closed months."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.service_levels.declaration_kind import DeclarationKind
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.options import AgencyId, person
from orchestrator.entrypoints.cli.output import LARGEST_NUMBER, AsJson, print_json, say
from orchestrator.files import write_file

if TYPE_CHECKING:
    from orchestrator.domain.calendars.months import CalendarMonth

app = typer.Typer(no_args_is_help=True, help="Service levels by the contract's clock, and their credits.")

MaybeAgency = Annotated[str | None, typer.Option("--agency", help="Only this agency's.", metavar="AGENCY")]
Month = Annotated[str, typer.Argument(help="Year and month, such as 2026-04.", metavar="MONTH")]
MaybeMonth = Annotated[
    str | None, typer.Argument(help="Year and month, such as 2026-04. Default: the current month.", metavar="MONTH")
]
Number = Annotated[
    int, typer.Argument(help="The number of the declaration.", metavar="DECLARATION", min=1, max=LARGEST_NUMBER)
]
FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
AS_WRITTEN = "such as 2026-04-14T22:00 in the agreement's time zone, or 2026-04-14T22:00+0100 with an offset"


@app.command()
def show(
    agency: Annotated[
        str | None, typer.Argument(help="The agency's id. Default: all agencies.", metavar="AGENCY")
    ] = None,
    month: MaybeMonth = None,
    as_json: AsJson = False,
) -> None:
    """Show the month so far: what was promised, what was achieved, and what it would cost.

    Example: orchestrator sla show cabinet-office
    """
    from orchestrator.entrypoints.cli.showing_service_levels import show_agencies, show_report

    with application() as app:
        if agency is None:
            lines = app.service_levels.reporting.overview(_month(month))
            print_json({"agencies": [one.model_dump(mode="json") for one in lines]}) if as_json else show_agencies(
                lines
            )
            return
        report = app.service_levels.reporting.report(agency, _month(month))
    print_json(report) if as_json else show_report(report)


@app.command()
def close(
    month: Month,
    agency: MaybeAgency = None,
    why: Annotated[str, typer.Option(help="Why a closed month is restated.")] = "new evidence",
    as_json: AsJson = False,
) -> None:
    """Close a month of every agency: its figures and credits become a permanent statement.

    A month that is already closed gets a new version if its figures have changed, and a credit note for the difference.

    Example: orchestrator sla close 2026-04
    """
    from orchestrator.domain.calendars.months import CalendarMonth
    from orchestrator.entrypoints.cli.showing_service_levels import show_closings

    with application() as app:
        closings = []
        for closing in app.service_levels.month_end.close(CalendarMonth.named(month), agency, why=why):
            closings.append(closing)
            same = "" if closing.changed else ", unchanged"
            say(f"{closing.month} of {closing.agency}: version {closing.version}{same}")
    print_json({"closed": [c.model_dump(mode="json") for c in closings]}) if as_json else show_closings(closings)


@app.command()
def report(
    agency: AgencyId,
    month: MaybeMonth = None,
    page: Annotated[Path | None, typer.Option("--page", help="Write a page to print.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Show an agency's monthly service report, or write it as a page with charts.

    Example: orchestrator sla report cabinet-office 2026-04 --page report.html
    """
    from orchestrator.entrypoints.cli.showing_service_levels import show_report

    with application() as app:
        found = app.service_levels.reporting.report(agency, _month(month))
        if page:
            write_file(page, app.service_levels.draw_report(found))
            say(f"Written: {page}")
    print_json(found) if as_json else show_report(found)


@app.command()
def declare(
    kind: Annotated[DeclarationKind, typer.Argument(help="maintenance, exclusion or outage.", metavar="KIND")],
    agency: AgencyId,
    start: Annotated[datetime, typer.Option(formats=FORMATS, metavar="WHEN", help=f"When it begins: {AS_WRITTEN}.")],
    end: Annotated[datetime, typer.Option(formats=FORMATS, metavar="WHEN", help="When it ends, in the same format.")],
    why: Annotated[str, typer.Option(help="The reason, in a sentence.")],
    component: Annotated[
        str | None, typer.Argument(help="Default: every service of the agency.", metavar="COMPONENT")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Declare maintenance, an exclusion or an outage. The first two count once the agency has accepted them.

    Example: orchestrator sla declare maintenance cabinet-office desktop --why "new kernel"
    --start 2026-04-21T20:00 --end 2026-04-21T23:00
    """
    from orchestrator.entrypoints.cli.showing_service_levels import show_declarations

    with application() as app:
        view = app.service_levels.declaring.declare(kind, agency, component, start=start, end=end, why=why)
    print_json(view) if as_json else show_declarations([view])
    if view.kind is not DeclarationKind.OUTAGE:
        say(f'Once the agency has accepted it: orchestrator sla accept {view.declaration} --as "WHO"')


@app.command()
def accept(
    declaration: Number,
    who: Annotated[str | None, typer.Option("--as", help="Who accepts for the agency. Default: your login.")] = None,
    as_json: AsJson = False,
) -> None:
    """Record that the agency accepts maintenance or an exclusion.

    Example: orchestrator sla accept 3 --as "Jo Bloggs"
    """
    from orchestrator.entrypoints.cli.showing_service_levels import show_declarations

    with application() as app:
        view = app.service_levels.declaring.accept(declaration, by=person(who))
    print_json(view) if as_json else show_declarations([view])


@app.command()
def end(
    declaration: Number,
    at: Annotated[
        datetime | None, typer.Option(formats=FORMATS, metavar="WHEN", help=f"When: {AS_WRITTEN}. Default: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that maintenance is over. Time beyond its plan is downtime.

    Example: orchestrator sla end 3
    """
    from orchestrator.entrypoints.cli.showing_service_levels import show_declarations

    with application() as app:
        view = app.service_levels.declaring.end(declaration, at=at)
    print_json(view) if as_json else show_declarations([view])


@app.command()
def declarations(
    agency: MaybeAgency = None,
    limit: Annotated[int, typer.Option(help="Maximum number, newest first.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show declarations, newest first, and whether they count.

    Example: orchestrator sla declarations --agency cabinet-office
    """
    from orchestrator.entrypoints.cli.showing_service_levels import show_declarations

    with application() as app:
        views = app.service_levels.declaring.newest(agency, limit=limit)
    print_json({"declarations": [v.model_dump(mode="json") for v in views]}) if as_json else show_declarations(views)


@app.command()
def openslo(agency: MaybeAgency = None) -> None:
    """Print the promised availability as OpenSLO documents, for other tools.

    Example: orchestrator sla openslo --agency cabinet-office > slo.yml
    """
    with application() as app:
        typer.echo(app.service_levels.openslo(agency), nl=False)


def _month(named: str | None) -> "CalendarMonth | None":
    from orchestrator.domain.calendars.months import CalendarMonth

    return CalendarMonth.named(named) if named else None
