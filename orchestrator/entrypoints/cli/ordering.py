"""`orchestrator plan` and `orchestrator apply`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.run_options import OnFailure, Priority
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.output import LARGEST_NUMBER, AsJson, console, print_json, progress, say
from orchestrator.entrypoints.failures import CHANGES_PENDING
from orchestrator.files import is_folder

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application
    from orchestrator.domain.agreement import CallOff
    from orchestrator.domain.run import Run

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoFollow = Annotated[bool, typer.Option("--no-follow", help="Queue the run and return at once.")]


AskedPriority = Annotated[Priority, typer.Option("--priority", help="What it gives way to in the queue.")]
AskedOnFailure = Annotated[
    OnFailure,
    typer.Option("--on-failure", help="Of an onboarding that fails: keep what was built, or remove it again."),
]


Renamed = Annotated[bool, typer.Option("--renamed", help="The agency of this id has taken another name.")]


@dataclass(frozen=True)
class Wishes:
    """How a run is to be carried out and reported."""

    priority: Priority = Priority.CHANGE
    on_failure: OnFailure = OnFailure.KEEP
    no_follow: bool = False
    as_json: bool = False


def plan(
    file: Annotated[Path, typer.Argument(help="The call-off file, or a folder of them.", metavar="FILE|FOLDER")],
    as_json: AsJson = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 0 when there is nothing to do, 6 when there is.")
    ] = False,
    renamed: Renamed = False,
) -> None:
    """Show what applying a call-off would change: contract, components, steps, hosts, allocations, price.

    Example: orchestrator plan examples/cabinet-office.yml
    """
    if is_folder(file):
        from orchestrator.entrypoints.cli.ordering_folder import plan_folder

        with application() as app:
            pending = plan_folder(app, file, as_json=as_json, renamed=renamed)
        raise typer.Exit(CHANGES_PENDING if detailed_exitcode and pending else 0)
    from orchestrator.entrypoints.cli.showing import show_plan
    from orchestrator.usecases.observing import plan_view

    with application() as app:
        call_off = app.ordering.read(file)
        stored = app.ordering.plan(call_off, renamed=renamed or says_renamed(app, call_off))
        view = plan_view(stored)
    if as_json:
        print_json(view)
    else:
        show_plan(view)
        if not view.empty:
            console.print(f"Make it so: orchestrator apply {view.plan}")
    if detailed_exitcode and not view.empty:
        raise typer.Exit(CHANGES_PENDING)


def apply(
    what: Annotated[
        str,
        typer.Argument(help="A call-off file, a folder of them, or the number of a plan.", metavar="FILE|FOLDER|PLAN"),
    ],
    yes: Yes = False,
    no_follow: NoFollow = False,
    priority: AskedPriority = Priority.CHANGE,
    on_failure: AskedOnFailure = OnFailure.KEEP,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", "-k", help="Of a folder: apply the others when files are refused.")
    ] = False,
    renamed: Renamed = False,
    as_json: AsJson = False,
) -> None:
    """Make it so: plan, ask, and drive the run to its end.

    A run that was interrupted is finished first. A run no live worker would take is worked by this command itself.

    Example: orchestrator apply examples/cabinet-office.yml --yes
    """
    wishes = Wishes(priority, on_failure, no_follow, as_json)
    with application() as app:
        if (number := plan_number(what)) and not Path(what).exists():
            carry_out(app, number, wishes)
            return
        if is_folder(Path(what)):
            from orchestrator.entrypoints.cli.ordering_folder import apply_folder

            apply_folder(app, Path(what), wishes, yes=yes, keep_going=keep_going, renamed=renamed)
            return
        call_off = app.ordering.read(Path(what))
        renamed = renamed or says_renamed(app, call_off)
        finish_open_run(app, call_off.agency.id, wishes)
        plan_and_carry_out(app, app.ordering.plan(call_off, renamed=renamed).id, wishes, yes=yes)


def says_renamed(app: "Application", call_off: "CallOff") -> bool:
    """Whether somebody says that an agency has another name now. Where nobody can be asked, planning refuses."""
    name = app.ordering.another_name(call_off)
    if name is None or not sys.stdin.isatty():
        return False
    say(f"The id {call_off.agency.id} is that of {name}; the file is for {call_off.agency.name}.")
    return typer.confirm("Is it the same agency under another name?", err=True)


def plan_number(word: str) -> int | None:
    """The number that a word is, if it can be a plan's."""
    number = int(word) if word.isascii() and word.isdigit() and len(word) <= len(str(LARGEST_NUMBER)) else 0
    return number if 0 < number <= LARGEST_NUMBER else None


def plan_and_carry_out(app: "Application", plan_id: int, wishes: Wishes, *, yes: bool) -> None:
    """Show a stored plan, ask, and carry it out."""
    from orchestrator.entrypoints.cli.showing import show_plan
    from orchestrator.usecases.observing import plan_view

    view = plan_view(app.ordering.stored(plan_id))
    if not wishes.as_json:
        show_plan(view)
    if view.empty:
        if wishes.as_json:
            print_json({"plan": view.plan, "run": None, "steps": []})
        return
    if not yes:
        ask("Apply this plan?")
    carry_out(app, plan_id, wishes)


def ask(question: str) -> None:
    """End the command with 0 unless somebody says yes; refuse where nobody can."""
    if not sys.stdin.isatty():
        raise OrchestratorError(Kind.INVALID, "nobody can be asked here", hint="add --yes to apply without asking")
    if not typer.confirm(f"\n{question}", err=True):
        raise typer.Exit(0)


def carry_out(app: "Application", plan_id: int, wishes: Wishes) -> None:
    run = app.provisioning.open_run(plan_id, priority=wishes.priority, on_failure=wishes.on_failure)
    follow(app, run, wishes)


def follow(app: "Application", run: "Run", wishes: Wishes) -> None:
    """Follow a queued run to its end, or say that it is queued."""
    if wishes.no_follow:
        if not app.live_workers():
            say("No worker is running; the run starts with the next: orchestrator worker, or orchestrator serve")
        print_json(app.observing.run(run.id)) if wishes.as_json else console.print(f"Run {run.id} is queued")
        return
    finish(app, run.id, as_json=wishes.as_json)


def finish(app: "Application", run_id: int, *, as_json: bool) -> None:
    """Follow a run to its end and report it; a run that does not succeed is an error."""
    from orchestrator.entrypoints.cli.following import carry, carry_back, failure
    from orchestrator.entrypoints.cli.showing import show_run, show_run_line

    ended = carry(app, run_id)
    error = failure(ended, undone=carry_back(app, ended))
    if as_json:
        print_json(ended)
    elif progress.is_terminal:
        show_run_line(ended)  # its table stands above, as it was when the run ended
    elif error is None:
        show_run(ended, app.clock.now())
    if error:
        raise error


def finish_open_run(app: "Application", agency: str, wishes: Wishes) -> None:
    """A run of the agency that is still open, or whose worker died, is brought to its end before planning.

    A drill makes way for an incident.
    """
    run = app.observing.open_run(agency)
    if run is None:
        return
    from orchestrator.domain.plan import Purpose
    from orchestrator.domain.run import RunState
    from orchestrator.entrypoints.cli.following import carry, failure

    if run.kind is Purpose.DRILL and wishes.priority is Priority.INCIDENT:
        say(f"Run {run.run} of {agency} is a drill, which makes way for the incident.")
        app.drilling.preempt(run.run, app.driving)
    else:
        say(f"Run {run.run} of {agency} is still {run.state}; going on with it first.")
    ended = carry(app, run.run)
    changes = run.kind in (Purpose.ONBOARD, Purpose.CHANGE, Purpose.OFFBOARD)
    if changes and ended.state is RunState.FAILED and (error := failure(ended)):
        raise error
