"""The practice site, built from the settings and the catalog."""

from typing import TYPE_CHECKING

from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.adapters.practice.site import PracticeSite


def practice_site(settings: Settings) -> "PracticeSite":
    """The driver of the practice site."""
    from orchestrator.adapters.catalog_files.source import CatalogFiles
    from orchestrator.adapters.practice.site import PracticeSite

    source = CatalogFiles(
        catalog_dir=settings.catalog, inventories_dir=settings.inventories, playbooks_dir=settings.playbooks
    )
    return PracticeSite(
        inventory=settings.inventories / "practice",
        home=settings.home,
        cache=settings.cache.expanduser(),
        packages=source.packages(),
    )
