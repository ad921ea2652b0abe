"""`orchestrator catalog`: what is sold, and under which agreements."""

from typing import Annotated

import typer

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.cli.context import application
from orchestrator.entrypoints.cli.output import AsJson, console, print_json

app = typer.Typer(no_args_is_help=True, help="What is sold.")


@app.command("list")
def list_components(as_json: AsJson = False) -> None:
    """Show all components on sale, the bundles that order several of them, and the framework agreements they are sold
    under.

    Example: orchestrator catalog list
    """
    from orchestrator.entrypoints.cli.showing_catalog import show_bundles, show_components, show_frameworks

    with application() as app:
        source = app.base.source
        catalog, bundles, agreements = source.catalog(), source.bundles(), source.agreements()
    if as_json:
        sold = {"components": catalog.components.values(), "bundles": bundles.values()}
        shown = {what: [one.model_dump(mode="json") for one in some] for what, some in sold.items()}
        print_json({**shown, "frameworks": [a.as_written() for a in agreements.values()]})
        return
    show_components(catalog, agreements)
    console.print()
    show_bundles(bundles.values())
    console.print()
    show_frameworks(agreements.values())


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="COMPONENT-or-BUNDLE-or-FRAMEWORK")],
    as_json: AsJson = False,
) -> None:
    """Show one component (its tiers, parameters, dependencies and recovery), one bundle (what it orders) or one
    framework agreement (its terms, who may buy, lots, prices and service levels).

    Example: orchestrator catalog show network
    """
    from orchestrator.entrypoints.cli.showing_catalog import show_bundle, show_component, show_framework

    with application() as app:
        source = app.base.source
        catalog, bundles, agreements = source.catalog(), source.bundles(), source.agreements()
    if component := catalog.components.get(name):
        print_json(component) if as_json else show_component(component, agreements)
    elif bundle := bundles.get(name):
        print_json(bundle) if as_json else show_bundle(bundle)
    elif agreement := agreements.get(name):
        print_json(agreement.as_written()) if as_json else show_framework(agreement, catalog)
    else:
        named = {"components": catalog.components, "bundles": bundles, "frameworks": agreements}
        hint = "; ".join(f"{what}: {', '.join(sorted(some))}" for what, some in named.items())
        raise OrchestratorError(Kind.NOT_FOUND, f"there is no component, bundle or framework {name!r}", hint=hint)


@app.command()
def lint() -> None:
    """Check catalog/ against playbooks/ and inventories/.

    Example: orchestrator catalog lint
    """
    from orchestrator.usecases.examining import require_consistent

    with application() as app:
        require_consistent(app.base.source)
        components, frameworks = len(app.base.source.catalog().components), len(app.base.source.agreements())
    console.print(f"{components} components, {frameworks} framework{'' if frameworks == 1 else 's'}, no problems")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a call-off file, for editors.

    Example: orchestrator catalog schema > call-off.schema.json
    """
    with application() as app:
        document = app.ordering.planning.schema()
    print_json(document)
