"""What a plan destroys: shown first, and done only with explicit consent."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.cli.asking import somebody_is_there, typed
from orchestrator.entrypoints.cli.output import console

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application
    from orchestrator.domain.ordering.agency import StoredPlan
    from orchestrator.usecases.ordering.appraising import Appraisal

YesDestroy = Annotated[
    list[str] | None,
    typer.Option(
        "--yes-destroy",
        help="Allow this component's data to be destroyed; the agency's id allows all of it. Repeatable.",
        metavar="COMPONENT|AGENCY",
    ),
]
NoFinalBackup = Annotated[
    bool,
    typer.Option(
        "--no-final-backup", help="Destroy without a final backup, for services that can no longer be backed up."
    ),
]


def show_losses(app: "Application", stored: "StoredPlan") -> None:
    """Show what a plan destroys, if anything."""
    if any(change.destroys for change in stored.plan.changes):
        now = app.base.clock.now()
        console.print("\n[bold red]Destroyed for good:[/]")
        for one in app.ordering.appraising.losses(stored.plan):
            _show(one, now)


def require_consent(stored: "StoredPlan", said: Sequence[str]) -> bool:
    """Whether the consent covers the whole plan, because the user gave the agency's id. Asks for the id where consent
    is missing: ends the command with 0 if it is not typed, and raises INVALID without a terminal."""
    plan = stored.plan
    left = plan.unconfirmed(said)
    if not left:
        return plan.agency in said
    words = " ".join(f"--yes-destroy {component}" for component in left)
    if not somebody_is_there():
        raise OrchestratorError(
            Kind.INVALID,
            f"plan {stored.id} destroys data of {plan.agency} in {', '.join(left)}, which needs consent",
            hint=f"add {words}, or --yes-destroy {plan.agency} for all of it",
        )
    if typed(f"\nType the agency's id to destroy this data ({', '.join(left)})", otherwise=words) != plan.agency:
        raise typer.Exit(0)
    return True


def _show(one: "Appraisal", now: datetime) -> None:
    from rich.markup import escape

    what = " ".join([f"[bold]{one.component}[/]", *([one.kind.value, ", ".join(one.names)] if one.names else [])])
    console.print(f"  [red]-[/] {what}")
    if one.tickets is not None:
        since = f", the oldest of {one.oldest_ticket_at:%Y-%m-%d}" if one.oldest_ticket_at else ""
        console.print(f"      tickets on the service desk: {one.tickets}, {one.open_tickets} of them open{since}")
    for home in one.homes:
        changed = f"changed {_ago(home.changed, now)}"
        console.print(escape(f"      {home.host} {home.path}: {home.files:,} files, {_size(home.bytes)}, {changed}"))
    for why in one.unseen:
        console.print(escape(f"      not checked: {why}"))
    last = f"the last {_ago(one.last_backup_at, now)}" if one.last_backup_at else "none yet"
    console.print(f"      backups on record: {one.backups}, {last}; {_final(one)}")


def _final(one: "Appraisal") -> str:
    return "one more is taken first" if one.final_backup else "[bold]none is taken first[/]"


def _ago(then: datetime, now: datetime) -> str:
    minutes = max(int((now - then).total_seconds() // 60), 0)
    for unit, size in (("d", 24 * 60), ("h", 60)):
        if minutes >= size:
            return f"{minutes // size} {unit} ago"
    return f"{minutes} min ago"


def _size(count: int) -> str:
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"
