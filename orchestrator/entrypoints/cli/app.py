"""The command line: turns arguments into calls, and failures into exit codes."""

import gc
import logging
import os
import sys
import uuid
from typing import Annotated

import typer

from orchestrator.domain.errors import OrchestratorError
from orchestrator.entrypoints.cli import (
    agencies,
    catalog,
    drift,
    failover,
    held_backups,
    operating,
    ordering,
    practice,
    probing,
    recovery,
    runs,
    secrets,
    service_levels,
    work,
)
from orchestrator.entrypoints.cli.output import print_error, progress
from orchestrator.entrypoints.failures import MEANING, OUR_BUG

app = typer.Typer(
    name="orchestrator",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Provisions managed shared services for public agencies under a framework agreement.",
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"orchestrator {version('shared-service-orchestrator')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Provisions managed shared services for public agencies under a framework agreement."""
    del version  # already shown


app.command()(operating.init)
app.command()(operating.doctor)
app.command()(ordering.plan)
app.command()(ordering.apply)
app.command()(probing.probe)
app.command()(operating.serve)
app.command()(operating.worker)
app.add_typer(agencies.app, name="agency")
app.add_typer(catalog.app, name="catalog")
app.add_typer(runs.app, name="run")
app.add_typer(work.app, name="work")
app.add_typer(drift.app, name="drift")
app.add_typer(recovery.app, name="drill")
app.add_typer(recovery.backup, name="backup")
app.add_typer(failover.app, name="recovery")
recovery.backup.command()(held_backups.held)
recovery.backup.command()(held_backups.destroy)
recovery.backup.command()(held_backups.password)
app.add_typer(service_levels.app, name="sla")
app.add_typer(practice.app, name="practice")
app.add_typer(secrets.app, name="secret")
app.add_typer(operating.db, name="db")


def main() -> None:
    """Run one command and exit with the code of its outcome. Only the current user can read the files it creates.

    Garbage collection during the imports takes a quarter of a short command; long commands switch it on later. Another
    fifth would go at the end, when Python looks for garbage among all there is before it leaves.
    """
    gc.disable()
    os.umask(0o077)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plugins slows every start
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code. Typer handles usage errors (2), Ctrl-C (130) and closed pipes."""
    try:
        app(arguments)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except OrchestratorError as error:
        print_error(error)
        return MEANING[error.kind].exit_code
    except Exception:
        reference = uuid.uuid4().hex[:12]
        logging.getLogger(__name__).exception("bug, reference %s", reference)
        progress.print(
            f"[bold red]Error:[/] this is a bug; please report it with reference {reference} and the log above"
        )
        return OUR_BUG
    return 0
