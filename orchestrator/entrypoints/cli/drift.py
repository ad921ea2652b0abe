"""`orchestrator drift`: compares the hosts with what is recorded."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.options import NoFollow
from orchestrator.entrypoints.cli.output import AsJson, console, print_json, say
from orchestrator.entrypoints.failures import MEANING

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application
    from orchestrator.domain.runs.run import Run
    from orchestrator.usecases.ordering.comparing import DriftView

app = typer.Typer(no_args_is_help=True, help="Compare the hosts with what is recorded.")

MaybeAgency = Annotated[
    str | None, typer.Argument(help="The agency's id. Default: every agency without an open run.", metavar="AGENCY")
]


@app.command()
def check(agency: MaybeAgency = None, no_follow: NoFollow = False, as_json: AsJson = False) -> None:
    """Show what provisioning again would change, without changing anything. Exits with 1 when there is drift.

    Example: orchestrator drift check cabinet-office
    """
    with application() as app:
        runs = [app.ordering.comparing.open_run(agency)] if agency else app.ordering.comparing.open_for_all()
        if not runs:
            say("Nothing to check: no services are live, or every agency has an open run.")
        if no_follow:
            _tell_queued(runs, as_json=as_json)
            return
        found, failures = _carried(app, runs)
    if as_json:
        print_json({"drift": [view.model_dump(mode="json") for view in found]})
    else:
        _show(found)
    if failures:
        raise failures[0]
    if any(view.changed for view in found):
        raise typer.Exit(MEANING[Kind.FAILED].exit_code)


def _tell_queued(runs: "list[Run]", *, as_json: bool) -> None:
    if as_json:
        print_json({"runs": [run.id for run in runs]})
    else:
        say(f"Queued {len(runs)} run{'' if len(runs) == 1 else 's'}; see: orchestrator run list")


def _carried(app: "Application", runs: "list[Run]") -> "tuple[list[DriftView], list[OrchestratorError]]":
    """What the runs found, and the errors of those that failed."""
    from orchestrator.entrypoints.cli.following import carry, failure

    ended = [carry(app, run.id) for run in runs]
    found = [view for run in runs for view in app.ordering.comparing.found(run.id)]
    return found, [error for run in ended if (error := failure(run))]


def _show(found: "list[DriftView]") -> None:
    from rich.markup import escape

    for view in found:
        where = f"[bold]{view.agency} {view.component}[/]"
        if view.changed is None:
            console.print(f"{where}  [red]could not be checked[/]")
        elif not view.tasks:
            console.print(f"{where}  [green]as recorded[/]")
        for task in view.tasks:
            console.print(f"{where} on {task.host}  [yellow]{escape(task.task)}[/]")
            for line in (task.difference or "").splitlines():
                colour = {"-": "red", "+": "green"}.get(line[:1], "dim")
                console.print(f"    [{colour}]{escape(line)}[/]")
    for agency in sorted({view.agency for view in found if view.changed}):
        console.print(f"To correct {agency}, apply its call-off again: the plan includes the drift.")
