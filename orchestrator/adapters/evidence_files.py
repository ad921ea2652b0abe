"""Signed evidence in files."""

from pathlib import Path
from typing import Any

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.recovery.evidence_seal import read_sealed
from orchestrator.files import read_text

MAX_BYTES = 20_000_000


def read_evidence(file: Path) -> Any:
    """The JSON in a file. Raises INVALID if it is not JSON; `verify_evidence` checks whether it is evidence."""
    try:
        return read_sealed(read_text(file, at_most=MAX_BYTES))
    except ValueError as error:
        raise OrchestratorError(Kind.INVALID, f"{file}: is not signed evidence: {error}") from None
