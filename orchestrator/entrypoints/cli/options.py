"""Options that several commands share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from orchestrator.domain.runs.run_options import USUAL, OnFailure, Priority, RunOptions

AgencyId = Annotated[str, typer.Argument(help="The agency's id.", metavar="AGENCY")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoFollow = Annotated[bool, typer.Option("--no-follow", help="Queue the run and return at once.")]
AskedPriority = Annotated[Priority, typer.Option("--priority", help="The run's place in the queue.")]
AskedOnFailure = Annotated[
    OnFailure,
    typer.Option("--on-failure", help="When an onboarding fails: keep what was built, or remove it."),
]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", help="Change only this component. Repeatable."),
]
Force = Annotated[bool, typer.Option("--force", help="Provision even what is unchanged.")]
Renamed = Annotated[bool, typer.Option("--renamed", help="The agency with this id has a new name.")]


@dataclass(frozen=True)
class Wishes:
    """How the user wants a run to be carried out and reported."""

    run: RunOptions = USUAL
    no_follow: bool = False
    as_json: bool = False
    destroy: Sequence[str] = ()
    """What may be destroyed: components, or the agency's id for all of it."""


def person(named: str | None) -> str:
    """Who acts: the person named, or whoever is logged in."""
    from getpass import getuser  # with the terminal's own modules, which few commands need

    return named or getuser()
