"""How the command line speaks: documents on standard output, everything else on standard error."""

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from orchestrator.domain.errors import OrchestratorError
from orchestrator.entrypoints.failures import sentences

if TYPE_CHECKING:
    from orchestrator.domain.value import Value

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

PIPE_WIDTH = 160
"""Columns of a table that nobody's terminal bounds."""


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=width)


console = _console(stderr=False)
progress = _console(stderr=True)


def print_json(document: "Value | dict[str, Any] | list[Any]") -> None:
    from orchestrator.domain.value import Value

    plain = document.model_dump(mode="json") if isinstance(document, Value) else document
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False, default=str))


def print_error(error: OrchestratorError) -> None:
    first, *rest = sentences(error)
    progress.print(f"[bold red]Error:[/] {escape(first)}")
    for line in rest:
        progress.print(escape(line))


def say(line: str) -> None:
    progress.print(escape(line))
