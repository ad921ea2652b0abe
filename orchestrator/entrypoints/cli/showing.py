"""Shows plans, runs and agencies on a terminal."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from rich.markup import escape
from rich.table import Table

from orchestrator.domain.ordering.difference import FieldChange
from orchestrator.domain.ordering.plan import Effect
from orchestrator.domain.runs.run import RunState, StepState
from orchestrator.domain.service_levels.record import State
from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.showing_recovery import show_moved
from orchestrator.entrypoints.cli.tables import new_table
from orchestrator.usecases.observing import NOBODY_PROBES, AgencyView, ServiceView
from orchestrator.usecases.ordering.views import ChangeView, CostView, PlanView
from orchestrator.usecases.runs.views import RunView, StepView

SYMBOL = {
    Effect.CREATE: "[green]+[/]",
    Effect.UPDATE: "[yellow]~[/]",
    Effect.REPLACE: "[red]-[/]/[green]+[/]",
    Effect.REMOVE: "[red]-[/]",
    Effect.NONE: " ",
}

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

PEOPLE = "people"
"""Who carries out a step without hosts."""

RUN_STYLE = {RunState.SUCCEEDED: "green", RunState.FAILED: "red", RunState.CANCELLED: "yellow"}

HEALTH_STYLE = {State.UP: "green", State.DOWN: "red", State.UNKNOWN: "yellow"}


def show_plan(plan: PlanView) -> None:
    """Show the difference, the steps that close it, and the cost."""
    console.print(f"Plan {plan.plan}: {plan.purpose} [bold]{plan.agency}[/] at site {plan.site}\n")
    if plan.contract:
        console.print("  [yellow]~[/] [bold]contract[/]")
        _show_fields(plan.contract)
    for change in plan.changes:
        _show_change(change)
    if plan.empty:
        console.print("\nNothing to change: what is ordered is what is recorded.")
        return
    if plan.steps:
        _show_allocations(plan)
        console.print()
        console.print(_steps_table(plan))
    console.print()
    _show_cost(plan)
    console.print(f"\n[bold]{_summary(plan)}[/]; digest {plan.digest[:12]}")


def show_moving(plan: PlanView, warning: str) -> None:
    """Show the plan of a failover, or of the return from one, and what may be lost."""
    console.print(f"Plan {plan.plan}: {plan.purpose} [bold]{plan.agency}[/] at site {plan.site}\n")
    for change in plan.changes:
        _show_change(change)
    console.print()
    console.print(_steps_table(plan))
    console.print(f"\n[bold]{escape(warning)}[/]")


def _summary(plan: PlanView) -> str:
    counted = {e: sum(c.effect is e for c in plan.changes) for e in Effect}
    words = [f"{n} to {effect}" for effect, n in counted.items() if n and effect is not Effect.NONE]
    return ", ".join([*words, *(["the contract changes"] if plan.contract else [])])


def _show_change(change: ChangeView) -> None:
    note = "  [dim]unchanged[/]" if change.effect is Effect.NONE else ""
    console.print(f"  {SYMBOL[change.effect]} [bold]{change.component}[/] ({change.tier}){note}")
    _show_fields(change.fields)


def _show_fields(fields: Iterable[FieldChange]) -> None:
    for field in fields:
        console.print(f"      {field.path}: {_difference(field.before, field.after)}")


def _difference(before: object, after: object) -> str:
    if before is None:
        return f"[green]{_value(after)}[/]"
    if after is None:
        return f"[red]{_value(before)}[/]"
    return f"[red]{_value(before)}[/] → [green]{_value(after)}[/]"


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return escape(", ".join(map(str, value)) or "none")
    return escape(str(value)) if value != "" else '""'


def _show_allocations(plan: PlanView) -> None:
    if plan.allocations:
        held = ", ".join(f"{name} {block}" for name, block in plan.allocations.items() if ":" not in name)
        console.print(f"\nFrom the site's pools: {held}")


def _steps_table(plan: PlanView) -> Table:
    table = new_table("", "step", "hosts", "because", title="Steps")
    for number, step in enumerate(plan.steps, 1):
        table.add_row(f"{number:>3}", step.id, ", ".join(step.hosts) or PEOPLE, f"[dim]{escape(step.because)}[/]")
    return table


def _show_cost(plan: PlanView) -> None:
    figures = ("quantity", "each a year", "a year")
    table = new_table("", *figures, right=figures, title="Price")
    for line in plan.cost.lines:
        row = (escape(line["item"]), f"{line['quantity']:,}", money(line["unit_per_year"]), money(line["per_year"]))
        table.add_row(*row)
    table.add_row("[bold]total[/]", "", "", f"[bold]{money(plan.cost.per_year)}[/]")
    console.print(table)
    _show_commitment(plan.cost)


def _show_commitment(cost: CostView) -> None:
    before = cost.before
    if before:
        console.print(f"A year: {_difference(money(before.per_year), money(cost.per_year))}, from {cost.since} on")
    elif cost.charged_per_year != cost.per_year:
        console.print(
            f"Charged as agreed: {money(cost.charged_per_year)} a year. Current prices apply from the next change of "
            "the term or of what is charged for."
        )
    total = _difference(money(before.term_total), money(cost.term_total)) if before else money(cost.term_total)
    console.print(f"Over the term of the call-off: {total}")


def money(pounds: str) -> str:
    return f"£{Decimal(pounds):,.2f}"


def run_table(run: RunView, now: datetime) -> Table:
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


def _doing(step: StepView) -> str:
    """What a step waits for, or its current task."""
    told = f"waits {step.waits_for}" if step.waits_for else step.task or ""
    return f"[dim]{escape(told)}[/]" if told else ""


def show_run_line(run: RunView) -> None:
    """Show the run in one line."""
    style = RUN_STYLE.get(run.state, "cyan")
    attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
    cause = f", because run {run.cause} failed" if run.cause else ""
    console.print(f"Run {run.run}: {run.kind} [bold]{run.agency}[/] [{style}]{run.state}[/]{attempt}{cause}")
    if run.worker_gone:
        console.print(f"[red]Its worker {escape(run.worker or '')} is gone.[/]")
    if run.next:
        console.print(f"Next: {run.next}")


def show_run(run: RunView, now: datetime) -> None:
    """Show the run, its steps, and their errors."""
    show_run_line(run)
    if run.steps:
        console.print(run_table(run, now))
    for step in run.steps:
        if step.error:
            console.print(f"\n[red]{step.id}[/] {step.state.replace('_', ' ')}:\n{_indent(step)}")
    if run.recovery:
        show_moved(run.recovery)


def _indent(step: StepView) -> str:
    return "\n".join(f"  {escape(line)}" for line in (step.error or "").splitlines())


def show_runs(runs: Iterable[RunView], now: datetime) -> None:
    table = new_table("run", "agency", "kind", "state", "created", "took", "why")
    for run in runs:
        style = RUN_STYLE.get(run.state, "cyan")
        took = _duration(run.started_at, run.finished_at or now) if run.started_at else ""
        created = f"{run.created_at:%Y-%m-%d %H:%M:%S}Z"
        state = f"[{style}]{run.state}[/]"
        table.add_row(str(run.run), run.agency, run.kind, state, created, took, escape(run.error or ""))
    console.print(table)


def show_agency(agency: AgencyView) -> None:
    left = f", offboarded {agency.offboarded_at:%Y-%m-%d}" if agency.offboarded_at else ""
    console.print(f"[bold]{agency.agency}[/] {escape(agency.name)}: {agency.framework}, site {agency.site}{left}")
    if agency.open_run:
        console.print(f"Run {agency.open_run} is open: orchestrator run follow {agency.open_run}")
    for held in agency.held_backups:
        console.print(f"Backups are held on {held.host} until {held.until:%Y-%m-%d}: orchestrator backup held")
    table = new_table("service", "tier", "status", "health", "hosts", "endpoints")
    for service in agency.services:
        endpoints = "\n".join(f"{e.name} {e.address}" for e in service.endpoints)
        hosts = "\n".join([", ".join(service.hosts), *(f"stale on {host}" for host in service.elsewhere)])
        table.add_row(service.component, service.tier, service.status, _health(service), hosts, escape(endpoints))
    console.print(table)
    for service in (service for service in agency.services if service.elsewhere):
        back = f"orchestrator recovery failback {agency.agency} {service.component}"
        console.print(f"The copy of {service.component} on {', '.join(service.elsewhere)} does not serve: {back}")
    if any(service.health_note == NOBODY_PROBES for service in agency.services):
        console.print("Health is known only while services are probed: orchestrator serve")


def _health(service: ServiceView) -> str:
    word = f"[{HEALTH_STYLE[service.health]}]{service.health.value}[/]"
    if service.health_since and service.health_note:
        return f"{word} when it was verified: {service.health_note}"
    if service.health_since:
        return f"{word} since {service.health_since:%Y-%m-%d %H:%M:%S}Z"
    return f"{word}: {service.health_note}" if service.health_note else word


def _duration(start: datetime | None, end: datetime) -> str:
    if start is None:
        return ""
    seconds = (end - start).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
