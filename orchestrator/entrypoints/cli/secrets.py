"""`orchestrator secret`: the key that seals secrets."""

from typing import Annotated

import typer

from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.output import AsJson, console, print_json

app = typer.Typer(no_args_is_help=True, help="The key that seals secrets.")


@app.callback()
def group() -> None:
    """Keep `rotate` a command of its own."""


@app.command()
def rotate(
    copied: Annotated[
        bool, typer.Option("--copied", help="The key file with both keys is on every machine; go on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a new key, seal every secret by it, and forget the old one. Interrupted, it goes on when called again.

    On PostgreSQL it stops after the first part: copy the key file to every machine, and call it again with --copied.

    Example: orchestrator secret rotate
    """
    with application() as app_:
        made, file = app_.rotating.begin(), app_.settings.key_file
        waits = app_.many_machines and (made or not copied)
        resealed = None if waits else app_.rotating.finish()
    if as_json:
        print_json({"begun": made, "finished": not waits, "resealed": resealed})
    elif waits:
        console.print(f"{file} has a new key beside the old one. Copy it to every machine's state directory, then run:")
        console.print("orchestrator secret rotate --copied")
    else:
        console.print(f"{resealed:,} secrets are sealed by a new key, and the old one opens nothing. Back {file} up.")
