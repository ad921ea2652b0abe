"""`orchestrator practice`: a site of real hosts on this one machine."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from orchestrator.entrypoints.cli.context import read_settings

app = typer.Typer(no_args_is_help=True, help="A site of real hosts, booted on this one machine.")


def _say(line: str) -> None:
    typer.echo(line, err=True)


Names = Annotated[
    list[str] | None, typer.Argument(metavar="[HOST|GROUP]...", help="Hosts or groups of the inventory; default: all.")
]
SnapshotName = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and hyphens.")]


@app.command()
def up(names: Names = None) -> None:
    """Boot hosts of the practice inventory and wait until the orchestrator can log in to each.

    The first boot installs the packages of their roles into layers that later boots, other sites and new disks share.

    Example: orchestrator practice up gw1 desktops
    """
    from orchestrator import bootstrap

    bootstrap.practice_site(read_settings()).up(_say, names or ())


@app.command()
def snapshot(name: SnapshotName, names: Names = None) -> None:
    """Save what the hosts have written so far under a name. Each host stops for two seconds.

    Example: orchestrator practice snapshot onboarded
    """
    from orchestrator import bootstrap

    bootstrap.practice_site(read_settings()).snapshot(name, _say, names or ())


@app.command()
def restore(name: SnapshotName, names: Names = None) -> None:
    """Boot hosts from a snapshot. What they have written since is lost.

    Example: orchestrator practice restore onboarded desk1
    """
    from orchestrator import bootstrap

    bootstrap.practice_site(read_settings()).restore(name, _say, names or ())


@app.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Find units on running hosts that failed or restarted more than twice. Exits with 1 if there are any.

    Example: orchestrator practice check
    """
    from orchestrator import bootstrap

    found = bootstrap.practice_site(read_settings()).unsteady()
    if as_json:
        typer.echo(json.dumps({"units": [asdict(unit) for unit in found]}))
    else:
        for unit in found:
            typer.echo(f"{unit.host:12} {unit.unit:40} {unit.state:12} restarted {unit.restarts} times")
        if not found:
            typer.echo("No unit failed, and none restarted more than twice.")
    if found:
        raise typer.Exit(1)


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
            {
                "name": host.name,
                "address": host.address,
                "groups": list(host.groups),
                "state": host.state.value,
                "snapshots": list(host.snapshots),
            }
            for host in hosts
        ]
        typer.echo(json.dumps({"hosts": found}))
        return
    for host in hosts:
        kept = f"  snapshots: {', '.join(host.snapshots)}" if host.snapshots else ""
        typer.echo(f"{host.name:12} {host.address:15} {host.state.value:9} {', '.join(host.groups)}{kept}")


@app.command()
def down(
    erase: Annotated[bool, typer.Option("--erase", help="Delete the disks and keys too.")] = False,
) -> None:
    """Stop every host and remove the site's bridge and firewall rules. Keeps the disks for the next `up`.

    Example: orchestrator practice down
    """
    from orchestrator import bootstrap

    bootstrap.practice_site(read_settings()).down(_say, erase=erase)
