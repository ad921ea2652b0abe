"""Questions to the user. Ctrl-C at a question ends the command with 130, as anywhere else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from orchestrator.domain.errors import Kind, OrchestratorError


def somebody_is_there() -> bool:
    return sys.stdin.isatty()


def says_yes(question: str) -> bool:
    with _interruptible():
        return typer.confirm(question, err=True)


def typed(question: str, *, otherwise: str) -> str:
    """Return what the user types. Without a terminal, raises INVALID with `otherwise` as the hint."""
    if not somebody_is_there():
        raise OrchestratorError(Kind.INVALID, "nobody can be asked here", hint=otherwise)
    with _interruptible():
        return str(typer.prompt(question, default="", show_default=False, err=True))


def require_yes(question: str) -> None:
    """End the command with 0 unless the user says yes. Raises INVALID without a terminal."""
    if not somebody_is_there():
        raise OrchestratorError(Kind.INVALID, "nobody can be asked here", hint="add --yes to apply without asking")
    if not says_yes(f"\n{question}"):
        raise typer.Exit(0)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and end of input, which Typer does not distinguish from other ways to end."""
    try:
        yield
    except typer.Abort:
        raise KeyboardInterrupt from None
