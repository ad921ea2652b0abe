"""`orchestrator agency`: tenants and what they have."""

from typing import Annotated

import typer

from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.destroying import NoFinalBackup, YesDestroy
from orchestrator.entrypoints.cli.options import AgencyId, NoFollow, Wishes, Yes
from orchestrator.entrypoints.cli.ordering import follow, plan_and_carry_out
from orchestrator.entrypoints.cli.output import AsJson, console, print_json

app = typer.Typer(no_args_is_help=True, help="Agencies and what they have.")


@app.command("list")
def list_agencies(
    everyone: Annotated[bool, typer.Option("--all", help="Include agencies that have left.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show all agencies.

    Example: orchestrator agency list
    """
    from orchestrator.entrypoints.cli.showing_agencies import show_agency

    with application() as app:
        agencies = app.observing.agencies(offboarded=everyone)
    if as_json:
        print_json({"agencies": [a.model_dump(mode="json") for a in agencies]})
        return
    if not agencies:
        console.print("There are no agencies yet. Onboard one: orchestrator apply examples/cabinet-office.yml")
    for agency in agencies:
        show_agency(agency)


@app.command()
def show(agency: AgencyId, as_json: AsJson = False) -> None:
    """Show one agency: its services, their hosts and their health.

    Example: orchestrator agency show cabinet-office
    """
    from orchestrator.entrypoints.cli.showing_agencies import show_agency

    with application() as app:
        view = app.observing.agency(agency)
    print_json(view) if as_json else show_agency(view)


@app.command()
def verify(
    agency: AgencyId,
    component: Annotated[str | None, typer.Argument(help="Only this component.", metavar="COMPONENT")] = None,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Use an agency's services as its users do, and check that nobody else can. Changes nothing.

    Example: orchestrator agency verify cabinet-office network
    """
    with application() as app:
        run = app.ordering.verifying.open_run(agency, component)
        follow(app, run, Wishes(no_follow=no_follow, as_json=as_json))


@app.command()
def offboard(
    agency: AgencyId,
    yes: Yes = False,
    yes_destroy: YesDestroy = None,
    no_final_backup: NoFinalBackup = False,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Remove everything an agency has, and return its allocations to the site's pools. A final backup is taken first,
    and its backups are held.

    Example: orchestrator agency offboard cabinet-office --yes-destroy cabinet-office
    """
    from orchestrator.domain.ordering.plan import PlanOptions

    with application() as app:
        plan = app.ordering.planning.plan_offboarding(agency, PlanOptions(final_backup=not no_final_backup))
        wishes = Wishes(no_follow=no_follow, as_json=as_json, destroy=tuple(yes_destroy or ()))
        plan_and_carry_out(app, plan, wishes, yes=yes)
        if not as_json and (held := app.ordering.holding.held(agency)):
            console.print(f"Its backups are held until {held[-1].until:%Y-%m-%d}: orchestrator backup held")
