"""Shows plans on a terminal."""

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.markup import escape

from orchestrator.domain.ordering.plan import Effect
from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.tables import PEOPLE, new_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from orchestrator.domain.ordering.difference import FieldChange
    from orchestrator.usecases.ordering.views import ChangeView, CostView, PlanView

SYMBOL = {
    Effect.CREATE: "[green]+[/]",
    Effect.UPDATE: "[yellow]~[/]",
    Effect.REPLACE: "[red]-[/]/[green]+[/]",
    Effect.REMOVE: "[red]-[/]",
    Effect.NONE: " ",
}


def show_plan(plan: "PlanView") -> None:
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


def show_moving(plan: "PlanView", warning: str) -> None:
    """Show the plan of a failover, or of the return from one, and what may be lost."""
    console.print(f"Plan {plan.plan}: {plan.purpose} [bold]{plan.agency}[/] at site {plan.site}\n")
    for change in plan.changes:
        _show_change(change)
    console.print()
    console.print(_steps_table(plan))
    console.print(f"\n[bold]{escape(warning)}[/]")


def _summary(plan: "PlanView") -> str:
    counted = {e: sum(c.effect is e for c in plan.changes) for e in Effect}
    words = [f"{n} to {effect}" for effect, n in counted.items() if n and effect is not Effect.NONE]
    return ", ".join([*words, *(["the contract changes"] if plan.contract else [])])


def _show_change(change: "ChangeView") -> None:
    note = "  [dim]unchanged[/]" if change.effect is Effect.NONE else ""
    console.print(f"  {SYMBOL[change.effect]} [bold]{change.component}[/] ({change.tier}){note}")
    _show_fields(change.fields)


def _show_fields(fields: "Iterable[FieldChange]") -> None:
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


def _show_allocations(plan: "PlanView") -> None:
    if plan.allocations:
        held = ", ".join(f"{name} {block}" for name, block in plan.allocations.items() if ":" not in name)
        console.print(f"\nFrom the site's pools: {held}")


def _steps_table(plan: "PlanView") -> "Table":
    table = new_table("", "step", "hosts", "because", title="Steps")
    for number, step in enumerate(plan.steps, 1):
        table.add_row(f"{number:>3}", step.id, ", ".join(step.hosts) or PEOPLE, f"[dim]{escape(step.because)}[/]")
    return table


def _show_cost(plan: "PlanView") -> None:
    figures = ("quantity", "each a year", "a year")
    table = new_table("", *figures, right=figures, title="Price")
    for line in plan.cost.lines:
        row = (escape(line["item"]), f"{line['quantity']:,}", money(line["unit_per_year"]), money(line["per_year"]))
        table.add_row(*row)
    table.add_row("[bold]total[/]", "", "", f"[bold]{money(plan.cost.per_year)}[/]")
    console.print(table)
    _show_commitment(plan.cost)


def _show_commitment(cost: "CostView") -> None:
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
