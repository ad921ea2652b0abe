"""What the catalogue, sites and call-off files are read by, as protocols."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from orchestrator.domain.estate.site import Site
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.value import Value


class Problem(Value):
    """One thing wrong with a file: where, what, and what would be right."""

    file: str
    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SourceDocument(Protocol):
    """A file people write, read: plain data that knows on which line each part stands."""

    @property
    def data(self) -> Any: ...

    def problem(self, path: Sequence[str | int], message: str) -> Problem: ...

    def check(self, schema: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], Problem]]:
        """Every place where the document departs from a JSON Schema."""
        ...


class CatalogSource(Protocol):
    """catalog/, inventories/ and call-off files. Unreadable or wrong files raise INVALID naming file and line."""

    def catalog(self) -> Catalog: ...

    def agreements(self) -> Mapping[str, FrameworkAgreement]: ...

    def sites(self) -> tuple[str, ...]: ...

    def site(self, name: str) -> Site: ...

    def document(self, path: Path) -> SourceDocument: ...

    def lint(self) -> list[Problem]:
        """What is inconsistent between catalog/, playbooks/ and inventories/."""
        ...
