"""`orchestrator drill` and `orchestrator backup`: recovery drills and the backups they restore."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.cli.asking import typed
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.options import AgencyId, NoFollow, person
from orchestrator.entrypoints.cli.output import LARGEST_NUMBER, AsJson, console, print_json, say
from orchestrator.files import make_folder, write_file

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application
    from orchestrator.domain.runs.run import Run
    from orchestrator.usecases.recovery.recalling import DrillView

app = typer.Typer(no_args_is_help=True, help="Rehearsals of disaster recovery.")
backup = typer.Typer(no_args_is_help=True, help="Backups, and how well they protect.")

DrillId = Annotated[int, typer.Argument(help="The number of the drill.", metavar="DRILL", min=1, max=LARGEST_NUMBER)]
Component = Annotated[
    str | None,
    typer.Argument(help="The component. Default: the one whose last drill is the oldest.", metavar="COMPONENT"),
]
Who = Annotated[str | None, typer.Option("--as", help="Your name. Default: your login.")]
Witnesses = Annotated[
    list[str] | None, typer.Option("--witness", help="Somebody who watches. Repeatable.", metavar="NAME")
]


@app.command("list")
def list_drills(
    agency: Annotated[str | None, typer.Option(help="Only this agency's.")] = None,
    limit: Annotated[int, typer.Option(help="Maximum number, newest first.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show drills, newest first.

    Example: orchestrator drill list --agency cabinet-office
    """
    from orchestrator.entrypoints.cli.showing_recovery import show_drills

    with application() as app:
        drills = app.recovery.recalling.drills(agency=agency, limit=limit)
    if as_json:
        print_json({"drills": [d.model_dump(mode="json") for d in drills]})
    else:
        show_drills(drills)


@app.command()
def start(
    agency: AgencyId,
    component: Component = None,
    who: Who = None,
    witnesses: Witnesses = None,
    page: Annotated[
        Path | None,
        typer.Option("--report", help="Write the page for the auditor when the drill ends.", metavar="FILE"),
    ] = None,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Rehearse the recovery of a component now, or request it where the site requires approval.

    Exits with 0 when the drill passed, 1 when it did not.

    Example: orchestrator drill start cabinet-office service-desk
    """
    with application() as app:
        drill = app.recovery.drilling.request(agency, component, by=person(who), witnesses=witnesses or ())
        run = app.recovery.drilling.start_if_due(drill.id)
        if run is None:
            say(f"Drill {drill.id} needs somebody else's approval: orchestrator drill approve {drill.id} --live-data")
            _show(app, drill.id, as_json=as_json)
            return
        _follow(app, drill.id, run, no_follow=no_follow, as_json=as_json, page=page)


@app.command()
def approve(
    drill: DrillId,
    live_data: Annotated[bool, typer.Option("--live-data", help="Agree that it uses the agency's live data.")] = False,
    who: Who = None,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Approve a drill that somebody else requested, and carry it out if it is due.

    Example: orchestrator drill approve 7 --live-data --as jane
    """
    with application() as app:
        approved = app.recovery.drilling.approve(drill, by=person(who), live_data=live_data)
        run = app.recovery.drilling.start_if_due(drill)
        if run is None:
            say(f"Drill {drill} is due at {approved.scheduled_at:%Y-%m-%d %H:%M}Z; serve starts it then")
            _show(app, drill, as_json=as_json)
            return
        _follow(app, drill, run, no_follow=no_follow, as_json=as_json)


@app.command()
def witness(drill: DrillId, who: Who = None, as_json: AsJson = False) -> None:
    """State that you watch a drill that somebody else requested. The evidence names you.

    Example: orchestrator drill witness 7 --as "Eve Marsham"
    """
    with application() as app:
        app.recovery.drilling.witness(drill, by=person(who))
        _show(app, drill, as_json=as_json)


@app.command()
def reject(
    drill: DrillId,
    reason: Annotated[str | None, typer.Option(help="The reason. Default: you are asked.")] = None,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Reject a drill.

    Example: orchestrator drill reject 7 --reason "the desk moves that week"
    """
    with application() as app:
        why = reason or typed("Why", otherwise="give a reason: --reason")
        app.recovery.drilling.reject(drill, by=person(who), reason=why)
        _show(app, drill, as_json=as_json)


@app.command()
def show(drill: DrillId, as_json: AsJson = False) -> None:
    """Show a drill: its measurements and its result.

    Example: orchestrator drill show 7 --json
    """
    with application() as app:
        _show(app, drill, as_json=as_json)


@app.command()
def calendar(
    agency: Annotated[str | None, typer.Option(help="Only this agency's.")] = None,
    count: Annotated[int, typer.Option(help="Maximum number for each component.", min=1, max=200)] = 20,
    ics: Annotated[
        Path | None, typer.Option("--ics", help="Also write them to an iCalendar file.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the next drills: first the recorded ones, then those foreseen by policy.

    Example: orchestrator drill calendar --agency cabinet-office --ics drills.ics
    """
    from orchestrator.entrypoints.cli.showing_recovery import show_calendar

    with application() as app:
        slots = app.recovery.scheduling.calendar(agency, count=count)
        if ics:
            write_file(ics, app.recovery.calendar_file(placed for slot in slots if (placed := slot.placed)))
            say(f"Written: {ics}")
    print_json({"slots": [s.model_dump(mode="json") for s in slots]}) if as_json else show_calendar(slots)


@app.command()
def blackouts(file: Annotated[Path, typer.Argument(help="An iCalendar file.", metavar="FILE.ics")]) -> None:
    """Convert the closures in an iCalendar file to blackouts for the `recovery` section of a call-off.

    Example: orchestrator drill blackouts closures.ics
    """
    with application() as app:
        found = app.recovery.blackouts(file)
    console.print("recovery:\n  blackouts:" + ("" if found else " []"))
    for blackout in found:
        console.print(f"    - {json.dumps(blackout.model_dump(mode='json'), ensure_ascii=False)}", markup=False)


@app.command()
def report(
    drill: DrillId,
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write. Default: reports/drill-N.html in the state directory.", metavar="FILE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a drill's page for the service manager and the auditor; with --json, print the signed evidence behind it.

    Example: orchestrator drill report 7 --out drill-7.html
    """
    with application() as app:
        document = app.recovery.recalling.evidence(drill)
        if as_json:
            typer.echo(document)
            return
        file = out or app.settings.home / "reports" / f"drill-{drill}.html"
        if out is None:
            make_folder(file.parent)
        write_file(file, app.evidence.draw(document))
    console.print(f"Written: {file}")


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(help="Evidence, oldest first.", metavar="EVIDENCE...")],
    key: Annotated[
        Path | None,
        typer.Option(help="The trusted public key, or a list of them. Default: our own.", metavar="FILE"),
    ] = None,
    head: Annotated[
        Path | None,
        typer.Option(help="A signed head: all evidence up to it must be given.", metavar="FILE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check evidence offline: signature, content and, for several files, the chain. Exits with 1 if it is invalid.

    Example: orchestrator drill verify drill-7.json
    """
    with application() as app:
        problems = app.evidence.verify(files, key, head)
    if as_json:
        print_json({"files": [str(f) for f in files], "problems": problems})
    elif not problems:
        console.print(f"[green]Valid:[/] {', '.join(map(str, files))}")
    if problems:
        raise OrchestratorError(Kind.FAILED, "the evidence is invalid", details=tuple(problems))


@app.command()
def head() -> None:
    """Print the signed head: how much evidence there is and which is the last. `serve` writes `evidence.head` daily.

    Example: orchestrator drill head > head.json
    """
    with application() as app:
        typer.echo(app.evidence.head(), nl=False)


@app.command()
def key(
    every: Annotated[
        bool, typer.Option("--all", help="Include earlier keys, with the time until which each signed, as JSON.")
    ] = False,
) -> None:
    """Print the public key that verifies evidence. Hand it over separately from the evidence.

    Example: orchestrator drill key > public.pem
    """
    with application() as app:
        typer.echo(app.evidence.public_keys() if every else app.evidence.public_key(), nl=False)


@backup.command("start")
def start_backup(
    agency: AgencyId,
    component: Annotated[str | None, typer.Argument(help="Only this component.", metavar="COMPONENT")] = None,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Back an agency up now. A canary is written first, so that a drill can measure the backup.

    Example: orchestrator backup start cabinet-office
    """
    from orchestrator.entrypoints.cli.ordering import finish

    with application() as app:
        run = app.recovery.backing_up.now(agency, component)
        if no_follow:
            print_json(app.observing.run(run.id)) if as_json else console.print(f"Run {run.id} is queued")
            return
        finish(app, run.id, as_json=as_json)


@backup.command("list")
def list_backups(
    agency: Annotated[str | None, typer.Option(help="Only this agency's.")] = None, as_json: AsJson = False
) -> None:
    """Show what is backed up, when the last backup was taken, and how much could be lost at the worst moment.

    Example: orchestrator backup list
    """
    from orchestrator.entrypoints.cli.showing_recovery import show_backups

    with application() as app:
        views = app.recovery.protecting.protection(agency)
        now = app.base.clock.now()
    print_json({"backups": [v.model_dump(mode="json") for v in views]}) if as_json else show_backups(views, now)


def _follow(
    app: "Application", drill: int, run: "Run", *, no_follow: bool, as_json: bool, page: Path | None = None
) -> None:
    """Follow the drill's run. Raises FAILED if the drill does not pass."""
    from orchestrator.entrypoints.cli.following import carry

    if no_follow:
        _show(app, drill, as_json=as_json)
        return
    carry(app, run.id)
    view = _show(app, drill, as_json=as_json)
    if page and view.verdict:
        write_file(page, app.evidence.draw(app.recovery.recalling.evidence(drill)))
        say(f"Written: {page}")
    if error := _failure(view):
        raise error


def _show(app: "Application", drill: int, *, as_json: bool) -> "DrillView":
    from orchestrator.entrypoints.cli.showing_recovery import show_drill

    view = app.recovery.recalling.drill(drill)
    print_json(view) if as_json else show_drill(view)
    return view


def _failure(view: "DrillView") -> OrchestratorError | None:
    if view.verdict in ("pass", "pass_with_findings"):
        return None
    outcome = (view.verdict or view.state).replace("_", " ")
    hint = f"orchestrator run show {view.run}"
    return OrchestratorError(Kind.FAILED, f"drill {view.drill}: {outcome}: {view.reason or 'no reason'}", hint=hint)
