"""Protocols for reading the catalog, sites and call-off files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from orchestrator.domain.estate.site import Site
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.bundles import Bundles
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.value import Value


class Problem(Value):
    """A problem in a file: where it is, what is wrong, and what would be right."""

    file: str
    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SourceDocument(Protocol):
    """A file that people write, as plain data with the line of each part."""

    @property
    def data(self) -> Any: ...

    def problem(self, path: Sequence[str | int], message: str) -> Problem: ...

    def check(self, schema: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], Problem]]:
        """Every violation of a JSON Schema."""
        ...


class CatalogSource(Protocol):
    """catalog/, inventories/ and call-off files. Unreadable or invalid files raise INVALID with file and line."""

    def catalog(self) -> Catalog: ...

    def bundles(self) -> Bundles: ...
    def agreements(self) -> Mapping[str, FrameworkAgreement]: ...

    def sites(self) -> tuple[str, ...]: ...

    def site(self, name: str) -> Site: ...

    def document(self, path: Path) -> SourceDocument: ...

    def lint(self) -> list[Problem]:
        """Inconsistencies between catalog/, playbooks/ and inventories/."""
        ...
