"""Output of the command line: documents on standard output, everything else on standard error."""

import json
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.domain.errors import OrchestratorError
from orchestrator.entrypoints.failures import sentences

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from orchestrator.domain.value import Value

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

LARGEST_NUMBER = 2**63 - 1
"""The largest id that a database column holds."""

PIPE_WIDTH = 160
"""Width of tables, in columns, where there is no terminal."""


class Voice:
    """Writes to one of the two streams. Rich is imported on first use: help is faster without it."""

    def __init__(self, *, stderr: bool) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> "Console":
        from rich.console import Console

        stream = sys.stderr if self._stderr else sys.stdout
        width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
        return Console(stderr=self._stderr, highlight=False, emoji=False, soft_wrap=True, width=width)

    @property
    def is_terminal(self) -> bool:
        return self.console.is_terminal

    def print(self, what: "RenderableType" = "", *, markup: bool | None = None) -> None:
        """Print text or a table. `markup=False` prints text literally, without Rich's markup."""
        self.console.print(what, markup=markup)


console = Voice(stderr=False)
progress = Voice(stderr=True)


def print_json(document: "Value | dict[str, Any] | list[Any]") -> None:
    from orchestrator.domain.value import Value

    plain = document.model_dump(mode="json") if isinstance(document, Value) else document
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False, default=str))


def print_error(error: OrchestratorError) -> None:
    from rich.markup import escape

    first, *rest = sentences(error)
    progress.print(f"[bold red]Error:[/] {escape(first)}")
    for line in rest:
        progress.print(line, markup=False)


def say(line: str) -> None:
    progress.print(line, markup=False)
