"""Signed evidence in files."""

from pathlib import Path
from typing import Any

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.evidence_seal import read_sealed

MAX_BYTES = 20_000_000


def read_evidence(file: Path) -> Any:
    """The JSON in a file. Raises INVALID for what is not JSON; whether it is evidence is for `verify_evidence`."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise OrchestratorError(Kind.INVALID, f"{file}: is larger than {MAX_BYTES:,} bytes")
        return read_sealed(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OrchestratorError(Kind.NOT_FOUND, f"{file}: no such file") from None
    except OSError as error:
        raise OrchestratorError(Kind.INVALID, f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise OrchestratorError(Kind.INVALID, f"{file}: is not signed evidence: {error}") from None
