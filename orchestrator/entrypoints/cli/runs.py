"""`orchestrator run`: runs and their steps."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.ordering import finish
from orchestrator.entrypoints.cli.output import LARGEST_NUMBER, AsJson, console, print_json

if TYPE_CHECKING:
    from orchestrator.domain.events import Event

app = typer.Typer(no_args_is_help=True, help="Runs and their steps.")

RunId = Annotated[int, typer.Argument(help="The number of the run.", metavar="RUN", min=1, max=LARGEST_NUMBER)]


@app.command("list")
def list_runs(
    agency: Annotated[str | None, typer.Option(help="Only this agency's.")] = None,
    limit: Annotated[int, typer.Option(help="Maximum number, newest first.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show runs, newest first.

    Example: orchestrator run list --agency cabinet-office
    """
    with application() as app:
        runs = app.observing.runs(agency=agency, limit=limit)
        now = app.base.clock.now()
    if as_json:
        print_json({"runs": [run.model_dump(mode="json", exclude={"steps"}) for run in runs]})
    else:
        from orchestrator.entrypoints.cli.showing_runs import show_runs

        show_runs(runs, now)


@app.command()
def show(run: RunId, as_json: AsJson = False) -> None:
    """Show a run and its steps.

    Example: orchestrator run show 12 --json
    """
    from orchestrator.entrypoints.cli.showing_runs import show_run

    with application() as app:
        view, now = app.observing.run(run), app.base.clock.now()
    print_json(view) if as_json else show_run(view, now)


@app.command()
def follow(
    run: RunId,
    after: Annotated[
        int, typer.Option(help="Only events after this id, to continue where you stopped.", min=0, max=LARGEST_NUMBER)
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Follow a run to its end. With --json, prints each event as a line of JSON.

    Example: orchestrator run follow 12 --json --after 345
    """
    from orchestrator.entrypoints.cli.following import carry, failure

    with application() as app:
        if not as_json:
            finish(app, run, as_json=False)
            return
        ended = carry(app, run, on_event=_json_line, after=after)
        if error := failure(ended):
            raise error


def _json_line(event: "Event") -> None:
    typer.echo(event.model_dump_json())


@app.command()
def logs(
    run: RunId,
    step: Annotated[str | None, typer.Argument(help="Only this step, such as desktop.provision.")] = None,
    go_on: Annotated[bool, typer.Option("--follow", help="Follow the output until the run ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show Ansible's output, without secrets. With --json, prints each piece as a line of JSON.

    Example: orchestrator run logs 12 desktop.provision --follow
    """
    from orchestrator.entrypoints.cli.following import carry, failure
    from orchestrator.entrypoints.cli.logs import Pages

    with application() as app:
        view = app.observing.run(run)
        if step is not None and step not in [one.id for one in view.steps]:
            known = ", ".join(one.id for one in view.steps) or "none"
            raise OrchestratorError(Kind.NOT_FOUND, f"run {run} has no step {step!r}", hint=f"steps: {known}")
        tell = Pages(step, as_json=as_json).tell
        if not go_on:
            for event in app.observing.events(run=run):
                tell(event)
            return
        if error := failure(carry(app, run, on_event=tell)):
            raise error


@app.command()
def cancel(run: RunId, as_json: AsJson = False) -> None:
    """Cancel a run: kills the running steps and everything they started, and starts no more. A run without a worker is
    ended by this command itself.

    Example: orchestrator run cancel 12
    """
    from orchestrator.usecases.runs.views import is_open

    with application() as app:
        app.engine.driving.cancel(run)
        view = app.observing.run(run)
        if is_open(view) and not app.engine.live_workers() and not app.engine.is_worked(run):
            from orchestrator.entrypoints.cli.following import carry

            view = carry(app, run)
    if as_json:
        print_json(view)
    else:
        console.print(f"Run {run} is being cancelled" if is_open(view) else f"Run {run} is {view.state}")


@app.command()
def resume(
    run: RunId, no_follow: Annotated[bool, typer.Option("--no-follow")] = False, as_json: AsJson = False
) -> None:
    """Resume a failed, cancelled or interrupted run from the step that did not succeed. Of a run that waits for people,
    the tickets are looked at.

    Example: orchestrator run resume 12
    """
    from orchestrator.domain.runs.run import RunState
    from orchestrator.usecases.runs.views import is_open

    with application() as app:
        view = app.observing.run(run)
        if view.state is RunState.WAITING:
            app.engine.look_at_work()
        elif not is_open(view):
            app.engine.driving.resume(run)
        if no_follow:
            print_json(app.observing.run(run)) if as_json else console.print(f"Run {run} is queued")
            return
        finish(app, run, as_json=as_json)
