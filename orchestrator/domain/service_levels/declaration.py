"""What people declare about a service in addition to measurements: planned maintenance, exclusions, outages."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from orchestrator.domain.calendars.spans import Instant
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.identifiers import AgencyId, Identifier
from orchestrator.domain.service_levels.declaration_kind import DeclarationKind
from orchestrator.domain.service_levels.record import (
    Acceptance,
    Exclusion,
    Maintenance,
    Outage,
    ServiceRecord,
    Timeline,
    without_end,
)
from orchestrator.domain.value import Value

KINDS: Mapping[DeclarationKind, type[Maintenance | Exclusion | Outage]] = {
    DeclarationKind.MAINTENANCE: Maintenance,
    DeclarationKind.EXCLUSION: Exclusion,
    DeclarationKind.OUTAGE: Outage,
}


class Declaration(Value):
    """`component` None means all services of the agency. `why` is free text."""

    id: int
    agency: AgencyId
    component: Identifier | None
    why: str
    what: Maintenance | Exclusion | Outage

    @property
    def kind(self) -> DeclarationKind:
        return next(kind for kind, declared in KINDS.items() if isinstance(self.what, declared))

    def accepted(self, acceptance: Acceptance) -> "Declaration":
        """The declaration with the agency's acceptance, which is final. Raises CONFLICT if it needs none or has one."""
        if isinstance(self.what, Outage):
            raise OrchestratorError(Kind.CONFLICT, f"declaration {self.id} is an outage, which needs no acceptance")
        if self.what.acceptance is not None:
            given = self.what.acceptance
            raise OrchestratorError(
                Kind.CONFLICT, f"declaration {self.id} was accepted by {given.by} at {given.at.isoformat()}"
            )
        return self._with(acceptance=acceptance)

    def ended(self, at: Instant) -> "Declaration":
        """Maintenance with its actual end. Raises CONFLICT for other declarations, and INVALID for an end before its
        start."""
        if not isinstance(self.what, Maintenance):
            raise OrchestratorError(Kind.CONFLICT, f"declaration {self.id} is not maintenance")
        if at <= self.what.start:
            raise OrchestratorError(
                Kind.INVALID, f"maintenance {self.id} begins at {self.what.start.isoformat()}; it cannot end earlier"
            )
        return self._with(ended_at=at)

    def _with(self, **known: Any) -> "Declaration":
        return self.model_copy(update={"what": type(self.what).model_validate(dict(self.what) | known)})


def service_record(
    component: str, parts: Mapping[str, Timeline], declarations: Iterable[Declaration], *, probes: Collection[str]
) -> ServiceRecord:
    """The record of one component: its timelines by probe, and the agency's declarations about it. `probes` are its
    current ones. The end of an earlier probe is not a gap while others continue."""
    about = [d.what for d in declarations if d.component in (None, component)]
    others = any(name in probes for name in parts)
    return ServiceRecord(
        parts={n: part if n in probes or not others else without_end(part) for n, part in parts.items()},
        outages=tuple(what for what in about if isinstance(what, Outage)),
        maintenance=tuple(what for what in about if isinstance(what, Maintenance)),
        exclusions=tuple(what for what in about if isinstance(what, Exclusion)),
    )
