"""Several documents in one YAML stream."""

from collections.abc import Iterable
from typing import Any

import yaml


def write_stream(documents: Iterable[dict[str, Any]]) -> str:
    """Write the documents, with keys in the order given."""
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, explicit_start=True)
