"""`orchestrator backup held`, `destroy` and `password`: backups of services that have ended."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.entrypoints.cli.asking import typed
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.options import AgencyId, NoFollow, Wishes, Yes
from orchestrator.entrypoints.cli.ordering import follow
from orchestrator.entrypoints.cli.output import AsJson, console, print_json
from orchestrator.files import write_new_file


def held(
    agency: Annotated[str | None, typer.Option(help="Only this agency's.")] = None, as_json: AsJson = False
) -> None:
    """Show the backups of services that have ended, and until when they are held.

    Example: orchestrator backup held
    """
    from orchestrator.entrypoints.cli.showing_recovery import show_held

    with application() as app:
        found, now = app.ordering.holding.held(agency), app.base.clock.now()
    if as_json:
        print_json({"held": [one.model_dump(mode="json") for one in found]})
    else:
        show_held(found, now)


def destroy(
    agency: AgencyId,
    early: Annotated[
        str | None, typer.Option("--early", help="Destroy them before their date, for this reason.", metavar="REASON")
    ] = None,
    yes: Yes = False,
    no_follow: NoFollow = False,
    as_json: AsJson = False,
) -> None:
    """Destroy an agency's held backups and delete the password that opens them. This cannot be undone.

    Before the date until which they are held, --early must give a reason.

    Example: orchestrator backup destroy cabinet-office
    """
    with application() as app:
        reason = app.ordering.holding.reason(agency, early=early)
        if not yes:
            _ask(agency, reason)
        follow(app, app.ordering.holding.open_run(agency, early=early), Wishes(no_follow=no_follow, as_json=as_json))


def password(
    agency: AgencyId,
    repository: Annotated[
        str,
        typer.Argument(help="One of its repositories: COMPONENT.HOST, the name of its folder.", metavar="REPOSITORY"),
    ],
    file: Annotated[Path, typer.Argument(help="The file to create; it must not exist.", metavar="FILE")],
) -> None:
    """Write the password of an agency's held backups to a file that only you can read, for a manual restore.

    Example: orchestrator backup password cabinet-office service-desk.desk1 /dev/shm/password
    """
    with application() as app:
        write_new_file(file, app.ordering.holding.password(agency, repository))
    console.print(f"Written: {file}. Remove it when you have restored what you need.")


def _ask(agency: str, reason: str) -> None:
    """End the command with 0 unless the user types the agency's id. Raises INVALID without a terminal."""
    question = f"This destroys all backups of {agency} ({reason}). Type the agency's id to continue"
    if typed(question, otherwise="add --yes to destroy without asking") != agency:
        raise typer.Exit(0)
