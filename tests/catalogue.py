"""Writes what is sold, from the catalog, into the document about it.

python -m tests.catalogue
"""

from collections.abc import Iterator

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Component, Tier
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "catalogue.md"
HEAD = """# Catalogue

This document shows which lines of the framework agreements can be ordered, and what each component is. `make docs`
writes it from `catalog/`; a test compares. What agreements charge in place of the catalog's prices is in
[frameworks.md](frameworks.md#prices). `orchestrator catalog show` shows one component, bundle or agreement in full."""


def source() -> CatalogFiles:
    return CatalogFiles(
        catalog_dir=ROOT / "catalog", inventories_dir=ROOT / "inventories", playbooks_dir=ROOT / "playbooks"
    )


def document(files: CatalogFiles) -> str:
    """The whole document."""
    lines = [HEAD]
    for agreement in files.agreements().values():
        lines += ["", f"## {agreement.title}", "", *_scope(agreement)]
    for component in files.catalog().components.values():
        lines += ["", f"## {component.title}", "", *_component(component)]
    return "\n".join([*lines, ""])


def _scope(agreement: FrameworkAgreement) -> Iterator[str]:
    yield from ("| lot | line of the agreement | component |", "|---|---|---|")
    for lot, terms in agreement.lots.items():
        for row, components in terms.scope.items():
            yield f"| {lot} | {row} | {', '.join(f'`{one}`' for one in components) or 'next'} |"


def _component(component: Component) -> Iterator[str]:
    delivered = "by people" if component.by_people else component.tenancy.value
    needs = f", needs {', '.join(f'`{need}`' for need in component.needs)}" if component.needs else ""
    yield f"`{component.component}`, {delivered}{needs}. {component.description.strip()}"
    if component.accounts_from:
        yield f"People log in with their password of `{component.accounts_from}`, if the agency has it."
    yield from ("", "| tier | | price a year | recovery time | recovery point | drills |", "|---|---|--:|--:|--:|---|")
    yield from (_tier(name, tier) for name, tier in component.tiers.items())
    if parameters := component.parameters.get("properties", {}):
        yield from ("", "| parameter | default | |", "|---|---|---|")
        for name, schema in parameters.items():
            default = f"`{schema['default']}`" if "default" in schema else ""
            yield f"| `{name}` | {default} | {schema.get('description', '')} |"
    yield from ("", "A verification shows:", "", *(f"- {proof}" for proof in component.proves))


def _tier(name: str, tier: Tier) -> str:
    price = f"£{tier.price.per_year:,} per {tier.price.per}"
    if tier.recovery is None:
        return f"| `{name}` | {tier.title} | {price} | | | |"
    hours = (f"{length.total_seconds() / 3600:g} h" for length in (tier.recovery.rto, tier.recovery.rpo))
    drills = f"every {tier.recovery.drills.every_months} months" if tier.recovery.drills else ""
    return f"| `{name}` | {tier.title} | {price} | {' | '.join(hours)} | {drills} |"


if __name__ == "__main__":
    DOCUMENT.write_text(document(source()), encoding="utf-8")
