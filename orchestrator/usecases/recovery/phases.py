"""The phases of a drill, from the records of its steps."""

from collections.abc import Sequence

from orchestrator.domain.recovery.phase_results import PhaseResults
from orchestrator.domain.runs.run import StepRecord


def results_of(steps: Sequence[StepRecord]) -> PhaseResults:
    """The results of the phases that succeeded."""
    return PhaseResults.model_validate({step.verb.value: step.result for step in steps if step.result is not None})
