"""The exposition in the format and tier that a scraper requests."""

from collections.abc import Callable, Iterator
from enum import StrEnum

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder

from orchestrator.adapters.exposition.detail import DETAIL
from orchestrator.adapters.exposition.rendering import Renderer
from orchestrator.adapters.exposition.shared import SharedSnapshot
from orchestrator.adapters.exposition.summary import SUMMARY
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.ports.figures import Snapshot


class Form(StrEnum):
    DETAIL = "detail"
    """By agency."""
    SUMMARY = "summary"
    """By framework agreement, site and component: the number of series does not depend on the number of agencies."""


OPENMETRICS_1_0 = "application/openmetrics-text; version=1.0.0; charset=utf-8"

FAMILIES = {Form.DETAIL: DETAIL, Form.SUMMARY: SUMMARY}


class Exposition:
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._shared = SharedSnapshot(snapshot)
        self._renderers = {tier: Renderer(families) for tier, families in FAMILIES.items()}

    def render(self, accept: str, tier: str = Form.DETAIL) -> tuple[Iterator[bytes], str]:
        """The exposition in slices, and its content type. The records are read before the first slice is requested.

        Raises INVALID for an unknown tier, and whatever reading the records raises.
        """
        if tier not in set(Form):
            hint = f"?tier= is one of {', '.join(Form)}"
            raise OrchestratorError(Kind.INVALID, f"there is no tier {tier!r} of metrics", hint=hint)
        openmetrics = choose_encoder(accept)[1].startswith("application/openmetrics-text")
        content_type = OPENMETRICS_1_0 if openmetrics else CONTENT_TYPE_PLAIN_0_0_4
        return self._renderers[Form(tier)].render(self._shared.now(), openmetrics=openmetrics), content_type
