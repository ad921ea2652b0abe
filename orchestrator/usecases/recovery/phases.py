"""The phases of a drill, as the records of its steps tell of them."""

from collections.abc import Sequence

from orchestrator.domain.recovery.phase_results import PhaseResults
from orchestrator.domain.runs.run import StepRecord


def results_of(steps: Sequence[StepRecord]) -> PhaseResults:
    """What the phases that have succeeded found."""
    return PhaseResults.model_validate({step.verb.value: step.result for step in steps if step.result is not None})
