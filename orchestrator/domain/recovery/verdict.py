"""A drill in one word: how its disaster was chosen, and its verdict."""

from enum import StrEnum


class Moment(StrEnum):
    """How the instant of the disaster was chosen."""

    RANDOM = "random"
    WORST = "worst"
    """Just before the next backup would be complete: what was written since the last one began is lost."""
    NOW = "now"
    """When somebody requested it."""


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict
    PASS_WITH_FINDINGS = "pass_with_findings"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    """A clock, or a measurement, cannot be trusted."""
    INVALID = "invalid"
    """The drill itself was wrong: it restored what the disaster would have destroyed."""


DECIDED = (Verdict.PASS, Verdict.PASS_WITH_FINDINGS, Verdict.FAIL)
"""Verdicts that decide whether the promises were kept."""
