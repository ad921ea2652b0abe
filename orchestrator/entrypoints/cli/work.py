"""`orchestrator work`: what people have been asked to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.options import NoFollow
from orchestrator.entrypoints.cli.output import AsJson, console, print_json, say

if TYPE_CHECKING:
    from orchestrator.usecases.ordering.commissioning import WorkOrderView

app = typer.Typer(no_args_is_help=True, help="What people have been asked to do.")


@app.command("list")
def list_orders(
    agency: Annotated[str | None, typer.Option(help="Only this agency's.")] = None, as_json: AsJson = False
) -> None:
    """Show the tickets that runs wait for, first what is due first.

    Example: orchestrator work list --agency cabinet-office
    """
    with application() as app:
        found = app.engine.commissioning.orders(agency)
    if as_json:
        shown = [{**view.order.model_dump(mode="json"), "jeopardy": view.jeopardy} for view in found]
        print_json({"work_orders": shown})
    else:
        _show(found)


@app.command()
def check(no_follow: NoFollow = False, as_json: AsJson = False) -> None:
    """Look at all tickets now, and go on with the runs whose people have finished. `serve` does so every minute.

    Example: orchestrator work check
    """
    from orchestrator.entrypoints.cli.following import carry_all, failure

    with application() as app:
        queued = app.engine.look_at_work()
        if not queued:
            say("No run can go on.")
        ended = [] if no_follow else carry_all(app, queued)
    if as_json:
        print_json({"runs": queued})
    elif no_follow and queued:
        say(f"Queued again: {', '.join(map(str, queued))}")
    for error in filter(None, map(failure, ended)):
        raise error


def _show(found: "list[WorkOrderView]") -> None:
    from rich.markup import escape

    from orchestrator.domain.runs.work_order import Jeopardy
    from orchestrator.entrypoints.cli.tables import new_table

    if not found:
        console.print("No run waits for people.")
        return
    style = {Jeopardy.ON_TIME: "green", Jeopardy.AT_RISK: "yellow", Jeopardy.OVERDUE: "red"}
    table = new_table("due", "", "agency", "run", "step", "what", "ticket")
    for view in found:
        order, word = view.order, view.jeopardy.value.replace("_", " ")
        due = f"{order.due_at:%Y-%m-%d %H:%M}Z"
        stands = f"[{style[view.jeopardy]}]{word}[/]"
        table.add_row(due, stands, order.agency, str(order.run), order.step, escape(order.title), escape(order.address))
    console.print(table)
