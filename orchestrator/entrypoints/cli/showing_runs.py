"""Shows runs and their steps on a terminal."""

from datetime import datetime
from typing import TYPE_CHECKING

from rich.markup import escape

from orchestrator.domain.runs.run import RunState, StepState
from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.showing_recovery import show_moved
from orchestrator.entrypoints.cli.tables import PEOPLE, new_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from orchestrator.usecases.runs.views import RunView, StepView

STEP_MARK = {
    StepState.PENDING: "[dim]·[/]",
    StepState.RUNNING: "[cyan]▸[/]",
    StepState.WAITING: "[yellow]◷[/]",
    StepState.SUCCEEDED: "[green]✓[/]",
    StepState.FAILED: "[red]✗[/]",
    StepState.UNREACHABLE: "[red]?[/]",
    StepState.TIMED_OUT: "[red]⌛[/]",
    StepState.CANCELLED: "[yellow]■[/]",
    StepState.ERRORED: "[red]![/]",
}

RUN_STYLE = {RunState.SUCCEEDED: "green", RunState.FAILED: "red", RunState.CANCELLED: "yellow"}


def run_table(run: "RunView", now: datetime) -> "Table":
    """One row per step: how long it took or has been running, and what it waits for."""
    figures, title = ("ok", "changed", "time"), f"waits {run.waits_for}" if run.waits_for else None
    table = new_table("", "step", "hosts", *figures, "", right=figures, title=title)
    for step in run.steps:
        ran = step.state not in (StepState.PENDING, StepState.RUNNING, StepState.WAITING) and step.hosts
        table.add_row(
            STEP_MARK[step.state],
            step.id,
            ", ".join(step.hosts) or PEOPLE,
            str(step.ok) if ran else "",
            str(step.changed) if ran else "",
            _duration(step.started_at, step.finished_at or now) if step.started_at else "",
            _doing(step),
        )
    return table


def _doing(step: "StepView") -> str:
    """What a step waits for, or its current task."""
    told = f"waits {step.waits_for}" if step.waits_for else step.task or ""
    return f"[dim]{escape(told)}[/]" if told else ""


def show_run_line(run: "RunView") -> None:
    """Show the run in one line."""
    style = RUN_STYLE.get(run.state, "cyan")
    attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
    cause = f", because run {run.cause} failed" if run.cause else ""
    console.print(f"Run {run.run}: {run.kind} [bold]{run.agency}[/] [{style}]{run.state}[/]{attempt}{cause}")
    if run.worker_gone:
        console.print(f"[red]Its worker {escape(run.worker or '')} is gone.[/]")
    if run.next:
        console.print(f"Next: {run.next}")


def show_run(run: "RunView", now: datetime) -> None:
    """Show the run, its steps, and their errors."""
    show_run_line(run)
    if run.steps:
        console.print(run_table(run, now))
    for step in run.steps:
        if step.error:
            console.print(f"\n[red]{step.id}[/] {step.state.replace('_', ' ')}:\n{_indent(step)}")
    if run.recovery:
        show_moved(run.recovery)


def _indent(step: "StepView") -> str:
    return "\n".join(f"  {escape(line)}" for line in (step.error or "").splitlines())


def show_runs(runs: "Iterable[RunView]", now: datetime) -> None:
    table = new_table("run", "agency", "kind", "state", "created", "took", "why")
    for run in runs:
        style = RUN_STYLE.get(run.state, "cyan")
        took = _duration(run.started_at, run.finished_at or now) if run.started_at else ""
        created = f"{run.created_at:%Y-%m-%d %H:%M:%S}Z"
        state = f"[{style}]{run.state}[/]"
        table.add_row(str(run.run), run.agency, run.kind, state, created, took, escape(run.error or ""))
    console.print(table)


def _duration(start: datetime | None, end: datetime) -> str:
    if start is None:
        return ""
    seconds = (end - start).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
