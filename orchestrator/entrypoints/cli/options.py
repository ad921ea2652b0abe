"""Options that several commands have, and how somebody wishes a run to be carried out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from orchestrator.domain.runs.run_options import OnFailure, Priority

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoFollow = Annotated[bool, typer.Option("--no-follow", help="Queue the run and return at once.")]
AskedPriority = Annotated[Priority, typer.Option("--priority", help="What it gives way to in the queue.")]
AskedOnFailure = Annotated[
    OnFailure,
    typer.Option("--on-failure", help="Of an onboarding that fails: keep what was built, or remove it again."),
]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", help="Only this component; the others stay as they are. May be given again."),
]
Force = Annotated[bool, typer.Option("--force", help="Provision again also what is as it should be.")]
Renamed = Annotated[bool, typer.Option("--renamed", help="The agency of this id has taken another name.")]


@dataclass(frozen=True)
class Wishes:
    """How a run is to be carried out and reported."""

    priority: Priority = Priority.CHANGE
    on_failure: OnFailure = OnFailure.KEEP
    no_follow: bool = False
    as_json: bool = False
    destroy: Sequence[str] = ()
    """What may be destroyed: components, or the agency's id for all of it."""
