"""What service levels need from the world, and what their metrics are made of."""

from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.usecases.recovery_ports import Labelled


class ServiceLevelFigures(NamedTuple):
    """Of agencies in service, by agency and component. Empty until somebody measures.

    The two totals advance only in service hours and outside agreed maintenance, so whatever is computed from their
    increases keeps to the hours of each contract by itself. They never fall while an agency is in service. Figures are
    tuples rather than lists, for the reason that `Snapshot` gives.
    """

    up: Sequence[Labelled] = ()
    """1 when the newest judgement on probes is up, 0 when it is down; nothing when it is unknown."""
    eligible_seconds: Sequence[Labelled] = ()
    """Seconds the figure rests on, since the service began."""
    bad_seconds: Sequence[Labelled] = ()
    """Eligible seconds in which the service was down."""
    availability: Sequence[Labelled] = ()
    """Of the running month so far, 0 to 1."""
    target: Sequence[Labelled] = ()
    """Availability promised, 0 to 1."""
    coverage: Sequence[Labelled] = ()
    """Share of the time due in the running month that was measured, 0 to 1."""
    eligible_period: Sequence[Labelled] = ()
    """Service seconds of an average month of the contract: what its budget of downtime is spread over."""
