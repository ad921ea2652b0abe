"""`orchestrator init`, `doctor`, `serve`, `worker` and `db`: operation."""

import gc
import signal
import threading
from types import FrameType
from typing import Annotated

import typer

from orchestrator.domain.errors import Kind
from orchestrator.entrypoints.cli.context import application, read_settings
from orchestrator.entrypoints.cli.output import AsJson, console, print_json, say
from orchestrator.entrypoints.failures import MEANING

db = typer.Typer(no_args_is_help=True, help="The database.")


def init() -> None:
    """Create the state directory, the keys and the database. Keeps what exists, and never recreates what was lost.

    Example: orchestrator init
    """
    from orchestrator import bootstrap

    for line in bootstrap.initialise(read_settings()):
        console.print(line)


def doctor(as_json: AsJson = False) -> None:
    """Check the installation: directory, keys, database, catalog, workers, schedules, hosts. Exits with 1 on a failure.

    Example: orchestrator doctor
    """
    from orchestrator.usecases.examining import CheckState

    with application() as app:
        found = app.examine()
    if as_json:
        print_json({"findings": [finding.model_dump(mode="json") for finding in found]})
    else:
        from orchestrator.entrypoints.cli.showing_findings import show_findings

        show_findings(found)
    if any(finding.standing is CheckState.FAILED for finding in found):
        raise typer.Exit(MEANING[Kind.FAILED].exit_code)


def worker() -> None:
    """Carry out queued runs until stopped. Ctrl-C or SIGTERM stops running steps and leaves their runs to other
    workers.

    Example: orchestrator worker
    """
    stopping = stop_on_signals()
    gc.enable()
    with application() as app:
        say("Working; Ctrl-C to stop.")
        app.engine.work(stopping.is_set)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port to listen on.", min=0, max=65535)] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Do not carry out runs.")] = False,
) -> None:
    """Serve HTTP (/metrics, /healthz, /readyz, /sd/KIND), run a worker, and probe services unless another process does.

    Example: orchestrator serve --port 8080
    """
    from orchestrator.entrypoints.http.server import serve_forever

    with application() as app:
        http = app.settings.http
        serve_forever(app, host=host or http.host, port=http.port if port is None else port, with_worker=not no_worker)


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return stopping


@db.command()
def upgrade() -> None:
    """Migrate the database to the schema of this version. Stop all workers and back the database up first.

    Example: orchestrator db upgrade
    """
    from orchestrator import bootstrap

    for line in bootstrap.upgrade(read_settings()):
        console.print(line)


@db.command()
def prune() -> None:
    """Delete events and unused plans past the retention in ORCHESTRATOR_RETENTION__DAYS. `serve` does so every night.

    Example: orchestrator db prune
    """
    with application() as app:
        gone = app.engine.retaining.prune()
    console.print(f"{gone:,} rows deleted")
