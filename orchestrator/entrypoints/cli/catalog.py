"""`orchestrator catalog`: what is sold."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.output import AsJson, console, print_json
from orchestrator.entrypoints.cli.tables import new_table

if TYPE_CHECKING:
    from orchestrator.domain.selling.catalog import Component

app = typer.Typer(no_args_is_help=True, help="What is sold.")


@app.command("list")
def list_components(as_json: AsJson = False) -> None:
    """Show all components on sale.

    Example: orchestrator catalog list
    """

    with application() as app:
        components = list(app.base.source.catalog().components.values())
        offered = {f: a.offered for f, a in app.base.source.agreements().items()}
    if as_json:
        print_json({"components": [c.model_dump(mode="json") for c in components]})
        return
    table = new_table("component", "title", "tiers", "tenancy", "needs", "offered under")
    for c in components:
        under = ", ".join(f"{f} ({lots[c.component]})" for f, lots in offered.items() if c.component in lots)
        table.add_row(f"[bold]{c.component}[/]", c.title, ", ".join(c.tiers), c.tenancy, ", ".join(c.needs), under)
    console.print(table)


@app.command()
def show(
    component: Annotated[str, typer.Argument(metavar="COMPONENT")],
    as_json: AsJson = False,
) -> None:
    """Show one component: its tiers, parameters, dependencies and recovery.

    Example: orchestrator catalog show network
    """
    with application() as app:
        components = app.base.source.catalog().components
    if component not in components:
        hint = f"components: {', '.join(sorted(components))}"
        raise OrchestratorError(Kind.NOT_FOUND, f"there is no component {component!r}", hint=hint)
    found = components[component]
    print_json(found) if as_json else _show(found)


def _show(component: "Component") -> None:
    from rich.markup import escape

    needs = f", needs {', '.join(component.needs)}" if component.needs else ""
    console.print(f"[bold]{component.component}[/] {component.title}: {component.tenancy}{needs}")
    console.print(escape(component.description.strip()))
    if component.exclusive:
        console.print("Exclusive: it is changed for one agency at a time on each host.")
    tiers = new_table("tier", "", "price a year", "recovery time", "recovery point", "watts")
    for name, tier in component.tiers.items():
        price = f"£{tier.price.per_year:,} per {tier.price.per}"
        tiers.add_row(name, tier.title, price, _hours(tier.recovery.rto), _hours(tier.recovery.rpo), f"{tier.watts:g}")
    console.print(tiers)
    parameters = new_table("parameter", "type", "default", "")
    for name, schema in component.parameters.get("properties", {}).items():
        default = escape(str(schema.get("default", "")))
        kind = schema.get("type") or schema.get("$ref", "").rpartition("/")[2]
        parameters.add_row(name, str(kind), default, escape(schema.get("description", "")))
    console.print(parameters)


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:g} h"


@app.command()
def lint() -> None:
    """Check catalog/ against playbooks/ and inventories/.

    Example: orchestrator catalog lint
    """
    from orchestrator.usecases.examining import require_consistent

    with application() as app:
        require_consistent(app.base.source)
        count = len(app.base.source.catalog().components)
    console.print(f"{count} components, no problems")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a call-off file, for editors.

    Example: orchestrator catalog schema > call-off.schema.json
    """
    with application() as app:
        document = app.ordering.planning.schema()
    print_json(document)
