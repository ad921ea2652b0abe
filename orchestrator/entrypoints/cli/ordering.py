"""`orchestrator plan` and `orchestrator apply`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.runs.run_options import OnFailure, Priority, RunOptions
from orchestrator.entrypoints.cli.asking import require_yes, says_yes, somebody_is_there
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.destroying import NoFinalBackup, YesDestroy, require_consent, show_losses
from orchestrator.entrypoints.cli.options import (
    AskedOnFailure,
    AskedPriority,
    Force,
    NoFollow,
    Renamed,
    Target,
    Wishes,
    Yes,
)
from orchestrator.entrypoints.cli.output import LARGEST_NUMBER, AsJson, console, print_json, progress, say
from orchestrator.entrypoints.failures import CHANGES_PENDING, WAITS_FOR_PEOPLE
from orchestrator.files import is_folder

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application
    from orchestrator.domain.ordering.agency import StoredPlan
    from orchestrator.domain.ordering.plan import PlanOptions
    from orchestrator.domain.runs.run import Run
    from orchestrator.domain.selling.agreement import CallOff


def plan(
    file: Annotated[Path, typer.Argument(help="The call-off file, or a folder of them.", metavar="FILE|FOLDER")],
    as_json: AsJson = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 6 when there are changes, 0 when there are none.")
    ] = False,
    renamed: Renamed = False,
    target: Target = None,
    force: Force = False,
    no_final_backup: NoFinalBackup = False,
) -> None:
    """Show what applying a call-off would change: contract, components, steps, hosts, allocations and price.

    Example: orchestrator plan examples/cabinet-office.yml
    """
    if is_folder(file):
        from orchestrator.entrypoints.cli.ordering_folder import plan_folder

        with application() as app:
            _refuse_for_folders(target=target, force=force, no_final_backup=no_final_backup)
            pending = plan_folder(app, file, as_json=as_json, renamed=renamed)
        raise typer.Exit(CHANGES_PENDING if detailed_exitcode and pending else 0)
    from orchestrator.entrypoints.cli.showing_plans import show_plan
    from orchestrator.usecases.ordering.views import plan_view

    with application() as app:
        call_off = app.ordering.planning.read(file)
        options = _options(target, force=force, no_final_backup=no_final_backup)
        stored = app.ordering.planning.plan(call_off, options, renamed=renamed or says_renamed(app, call_off))
        view = plan_view(stored)
        if as_json:
            losses = app.ordering.appraising.losses(stored.plan) if stored.plan.unconfirmed(()) else []
            print_json({**view.model_dump(mode="json"), "losses": [one.model_dump(mode="json") for one in losses]})
        else:
            show_plan(view)
            show_losses(app, stored)
            if not view.empty:
                console.print(f"Apply it: orchestrator apply {view.plan}")
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
        bool, typer.Option("--keep-going", "-k", help="With a folder: when files are refused, apply the others.")
    ] = False,
    renamed: Renamed = False,
    target: Target = None,
    force: Force = False,
    yes_destroy: YesDestroy = None,
    no_final_backup: NoFinalBackup = False,
    as_json: AsJson = False,
) -> None:
    """Apply a call-off: plan, ask for confirmation, and follow the run to its end.

    An interrupted run is finished first. Without a live worker, this command carries the run out itself. Destroying
    data needs explicit consent: --yes-destroy, or the agency's id typed at the prompt.

    Example: orchestrator apply examples/cabinet-office.yml --yes
    """
    wishes = Wishes(RunOptions(priority, on_failure), no_follow, as_json, tuple(yes_destroy or ()))
    with application() as app:
        if (number := plan_number(what)) and not Path(what).exists():
            require_consent(app.ordering.planning.stored(number), wishes.destroy)
            carry_out(app, number, wishes)
            return
        if is_folder(Path(what)):
            _refuse_for_folders(target=target, force=force, no_final_backup=no_final_backup)
            from orchestrator.entrypoints.cli.ordering_folder import apply_folder

            apply_folder(app, Path(what), wishes, yes=yes, keep_going=keep_going, renamed=renamed)
            return
        call_off = app.ordering.planning.read(Path(what))
        renamed = renamed or says_renamed(app, call_off)
        finish_open_run(app, call_off.agency.id, wishes)
        options = _options(target, force=force, no_final_backup=no_final_backup)
        plan_and_carry_out(app, app.ordering.planning.plan(call_off, options, renamed=renamed), wishes, yes=yes)


def _options(target: list[str] | None, *, force: bool, no_final_backup: bool) -> "PlanOptions":
    from orchestrator.domain.ordering.plan import PlanOptions

    return PlanOptions(target=tuple(sorted(set(target or ()))), force=force, final_backup=not no_final_backup)


def _refuse_for_folders(*, target: list[str] | None, force: bool, no_final_backup: bool) -> None:
    for given, option in ((target, "--target"), (force, "--force"), (no_final_backup, "--no-final-backup")):
        if given:
            raise OrchestratorError(Kind.INVALID, f"{option} works with a single call-off only", hint="give its file")


def says_renamed(app: "Application", call_off: "CallOff") -> bool:
    """Whether the user confirms that an agency has a new name. Without a terminal, planning refuses."""
    name = app.ordering.planning.another_name(call_off)
    if name is None or not somebody_is_there():
        return False
    say(f"The id {call_off.agency.id} belongs to {name}; the file is for {call_off.agency.name}.")
    return says_yes("Is it the same agency with a new name?")


def plan_number(word: str) -> int | None:
    """The word as a plan number, or None if it cannot be one."""
    number = int(word) if word.isascii() and word.isdigit() and len(word) <= len(str(LARGEST_NUMBER)) else 0
    return number if 0 < number <= LARGEST_NUMBER else None


def plan_and_carry_out(app: "Application", stored: "StoredPlan", wishes: Wishes, *, yes: bool) -> None:
    """Show a stored plan, ask for confirmation, and carry it out."""
    from orchestrator.entrypoints.cli.showing_plans import show_plan
    from orchestrator.usecases.ordering.views import plan_view

    view = plan_view(stored)
    if not wishes.as_json:
        show_plan(view)
        show_losses(app, stored)
    if view.empty:
        if wishes.as_json:
            print_json({"plan": view.plan, "run": None, "steps": []})
        return
    if not require_consent(stored, wishes.destroy) and not yes:
        require_yes("Apply this plan?")
    carry_out(app, stored.id, wishes)


def carry_out(app: "Application", plan_id: int, wishes: Wishes) -> None:
    run = app.ordering.provisioning.open_run(plan_id, wishes.run)
    follow(app, run, wishes)


def follow(app: "Application", run: "Run", wishes: Wishes) -> None:
    """Follow a queued run to its end, or report that it is queued."""
    if wishes.no_follow:
        if not app.engine.live_workers():
            say("No worker is running; the run starts when one does: orchestrator worker, or orchestrator serve")
        print_json(app.observing.run(run.id)) if wishes.as_json else console.print(f"Run {run.id} is queued")
        return
    finish(app, run.id, as_json=wishes.as_json)


def finish(app: "Application", run_id: int, *, as_json: bool) -> None:
    """Follow a run to its end and report it. Raises an error if it does not succeed."""
    from orchestrator.domain.runs.run import RunState
    from orchestrator.entrypoints.cli.following import carry, carry_back, failure
    from orchestrator.entrypoints.cli.showing_runs import show_run, show_run_line

    ended = carry(app, run_id)
    error = failure(ended, undone=carry_back(app, ended))
    if as_json:
        print_json(ended)
    elif progress.is_terminal:
        show_run_line(ended)  # its final table is already above
    elif error is None:
        show_run(ended, app.base.clock.now())
    if error:
        raise error
    if ended.state is RunState.WAITING:
        if not as_json:
            say(f"Run {run_id} waits {ended.waits_for}. It goes on by itself while orchestrator serve runs.")
        raise typer.Exit(WAITS_FOR_PEOPLE)


def finish_open_run(app: "Application", agency: str, wishes: Wishes) -> None:
    """Finish an open run of the agency, including one whose worker died, before planning.

    A drill gives way to an incident.
    """
    run = app.recovery.drilling.make_way(agency, wishes.run.priority, app.engine.driving)
    if run is None:
        return
    from orchestrator.domain.ordering.plan import Purpose
    from orchestrator.domain.runs.run import RunState
    from orchestrator.entrypoints.cli.following import carry, failure

    if run.purpose is Purpose.DRILL and wishes.run.priority is Priority.INCIDENT:
        say(f"Run {run.id} of {agency} is a drill and gives way to the incident.")
    else:
        say(f"Run {run.id} of {agency} is still {run.state}; finishing it first.")
    ended = carry(app, run.id)
    changes = run.purpose in (Purpose.ONBOARD, Purpose.CHANGE, Purpose.OFFBOARD)
    if changes and ended.state is RunState.FAILED and (error := failure(ended)):
        raise error
