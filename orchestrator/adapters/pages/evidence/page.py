"""The page of a drill as HTML."""

from collections.abc import Iterator
from math import inf, nextafter
from typing import NamedTuple

from pydantic import ValidationError

from orchestrator.adapters.pages import wording
from orchestrator.adapters.pages.environment import environment
from orchestrator.adapters.pages.evidence import timeline
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.recovery.evidence import Evidence
from orchestrator.domain.recovery.evidence_seal import SealedEvidence

LEVELS = (
    (1, "the backup can be read"),
    (2, "the engine accepts it"),
    (3, "it is what was backed up"),
    (4, "no record is missing in between"),
    (5, "it makes sense to the service"),
)


def draw(sealed: SealedEvidence) -> str:
    """The page of one drill. It shows the evidence, and does not verify its signature."""
    try:
        evidence = Evidence.model_validate(sealed.evidence)
    except ValidationError as error:
        raise OrchestratorError(Kind.INVALID, f"this is not evidence of a drill: {error.errors()[0]['msg']}") from None
    title, meaning = wording.VERDICTS[evidence.verdict]
    return (
        environment()
        .get_template("evidence/page.html.j2")
        .render(
            sealed=sealed,
            e=evidence,
            verdict=title,
            meaning=meaning,
            moment=wording.MOMENTS[evidence.t0_kind],
            results=tuple(_results(evidence)),
            before=timeline.before(evidence),
            after=timeline.after(evidence),
            geometry=timeline,
            levels=LEVELS,
            parts=wording.PARTS,
            leaks=[attempt for attempt in evidence.isolation.attempts if not attempt.blocked],
        )
    )


class Result(NamedTuple):
    """A promise and its measurement. `kept` is None if the measurement does not decide."""

    name: str
    promised: str
    measured: str
    kept: bool | None
    filled: float
    note: str


def _results(evidence: Evidence) -> Iterator[Result]:
    promised, rto, rpo = evidence.objectives, evidence.rto, evidence.rpo
    waited = rto.censored_limit_seconds
    at_least = rto.seconds if waited is None else nextafter(waited, inf)
    yield Result(
        "Recovery time",
        wording.length(promised.rto_seconds),
        wording.recovery_time(rto),
        _kept(at_least, rto.seconds, promised.rto_seconds),
        _share(at_least, promised.rto_seconds),
        "nobody was served until waiting ended" if waited is not None else "from the disaster to the first user served",
    )
    yield Result(
        "Recovery point",
        wording.length(promised.rpo_seconds),
        wording.recovery_point(rpo),
        _kept(rpo.seconds, rpo.upper_seconds, promised.rpo_seconds),
        _share(rpo.upper_seconds or rpo.seconds, promised.rpo_seconds),
        "from the last good record to the disaster"
        if rpo.seconds is None or rpo.upper_seconds in (None, rpo.seconds)
        else f"last good record {wording.length(rpo.seconds)} before",
    )


def _kept(at_least: float | None, at_most: float | None, promised: float) -> bool | None:
    if at_most is not None and at_most <= promised:
        return True
    return False if at_least is not None and at_least > promised else None


def _share(measured: float | None, promised: float) -> float:
    """The percentage of the promise that was used, at most 100."""
    return 0.0 if measured is None else min(100.0, 100 * measured / promised if promised else 100.0)
