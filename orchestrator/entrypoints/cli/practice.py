"""`orchestrator practice`: a site of real hosts on this one machine."""

import json
from typing import Annotated

import typer

from orchestrator.entrypoints.cli.context import read_settings

app = typer.Typer(no_args_is_help=True, help="A site of real hosts, booted on this one machine.")


def _say(line: str) -> None:
    typer.echo(line, err=True)


@app.command()
def up() -> None:
    """Boot every host of the practice inventory and wait until each lets the orchestrator in.

    Example: orchestrator practice up
    """
    from orchestrator import bootstrap

    bootstrap.practice_site(read_settings()).up(_say)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Show the hosts and whether each is running.

    Example: orchestrator practice status --json
    """
    from orchestrator import bootstrap

    hosts = bootstrap.practice_site(read_settings()).status()
    if as_json:
        found = [
            {"name": host.name, "address": host.address, "groups": list(host.groups), "state": host.state.value}
            for host in hosts
        ]
        typer.echo(json.dumps({"hosts": found}))
        return
    for host in hosts:
        typer.echo(f"{host.name:12} {host.address:15} {host.state.value:9} {', '.join(host.groups)}")


@app.command()
def down(
    erase: Annotated[bool, typer.Option("--erase", help="Throw away the disks and keys too.")] = False,
) -> None:
    """Stop every host and remove the site's bridge and rules. Disks stay for the next `up`.

    Example: orchestrator practice down
    """
    from orchestrator import bootstrap

    bootstrap.practice_site(read_settings()).down(_say, erase=erase)
