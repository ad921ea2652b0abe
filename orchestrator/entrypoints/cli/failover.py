"""`orchestrator recovery`: moving a lost service to hosts that stand by, and returning it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.runs.run_options import Priority
from orchestrator.entrypoints.cli.asking import require_yes
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.options import AgencyId, NoFollow, Wishes, Yes
from orchestrator.entrypoints.cli.ordering import follow
from orchestrator.entrypoints.cli.output import AsJson, print_json, say
from orchestrator.entrypoints.cli.service_levels import AS_WRITTEN, FORMATS

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application
    from orchestrator.domain.ordering.agency import StoredPlan

app = typer.Typer(no_args_is_help=True, help="A lost service on hosts that stand by, and its return.")

Component = Annotated[str, typer.Argument(help="The component.", metavar="COMPONENT")]


@app.command()
def failover(
    agency: AgencyId,
    component: Component,
    since: Annotated[
        datetime | None,
        typer.Option(formats=FORMATS, metavar="WHEN", help=f"When it was lost: {AS_WRITTEN}. Default: now."),
    ] = None,
    yes: Yes = False,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Bring a lost service up for its users on hosts that stand by, from its newest backup. What was written after that
    backup is lost. Nothing is asked of the lost hosts.

    Example: orchestrator recovery failover cabinet-office service-desk
    """
    from orchestrator.domain.ordering.plan import Purpose

    wishes = Wishes(no_follow=no_follow, as_json=as_json)
    with application() as app:
        plan = app.engine.failing_over.plan(agency, component, Purpose.FAILOVER, since=since)
        _carry_out(app, plan, "Fail over?", wishes, yes=yes)


@app.command()
def failback(
    agency: AgencyId,
    component: Component,
    yes: Yes = False,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Return a service that has failed over to the hosts that it was lost on, with what was written meanwhile, and
    remove it from the hosts that stand by.

    Example: orchestrator recovery failback cabinet-office service-desk
    """
    from orchestrator.domain.ordering.plan import Purpose

    wishes = Wishes(no_follow=no_follow, as_json=as_json)
    with application() as app:
        plan = app.engine.failing_over.plan(agency, component, Purpose.FAILBACK)
        _carry_out(app, plan, "Return it?", wishes, yes=yes)


@app.command("list")
def list_moves(
    agency: Annotated[str | None, typer.Option(help="Only this agency's.")] = None,
    limit: Annotated[int, typer.Option(help="Maximum number, newest first.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show failovers and returns, newest first: what they took and lost, and what was promised.

    Example: orchestrator recovery list --agency cabinet-office
    """
    from orchestrator.entrypoints.cli.showing_recovery import show_moves

    with application() as app:
        moves = app.engine.failing_over.moves(agency, limit=limit)
    print_json({"moves": [move.model_dump(mode="json") for move in moves]}) if as_json else show_moves(moves)


def _carry_out(app: "Application", stored: "StoredPlan", question: str, wishes: Wishes, *, yes: bool) -> None:
    """Show the plan and what may be lost, ask, and carry it out. A drill of the agency gives way."""
    from orchestrator.entrypoints.cli.showing_plans import show_moving
    from orchestrator.usecases.ordering.views import plan_view

    if not wishes.as_json:
        show_moving(plan_view(stored), _warning(stored, app.base.clock.now()))
    if not yes:
        require_yes(question)
    _stop_drill(app, stored.plan.agency)
    follow(app, app.engine.failing_over.open_run(stored.id), wishes)


def _stop_drill(app: "Application", agency: str) -> None:
    from orchestrator.domain.ordering.plan import Purpose

    run = app.recovery.drilling.make_way(agency, Priority.INCIDENT, app.engine.driving)
    if run is not None and run.purpose is Purpose.DRILL:
        from orchestrator.entrypoints.cli.following import carry

        say(f"Run {run.id} of {agency} is a drill and gives way to the incident.")
        carry(app, run.id)


def _warning(stored: "StoredPlan", now: datetime) -> str:
    from orchestrator.entrypoints.cli.showing_recovery import span

    move = stored.plan.move
    assert move is not None
    if move.backup_at is not None:
        age = span(max((now - move.backup_at).total_seconds(), 0.0))
        return f"The newest backup began {age} ago. What was written after that is lost."
    if not move.sources:
        return "Only what an unfinished failover has left is removed."
    return "From before the backup until the end of the move nobody can use it. Tell the agency."
