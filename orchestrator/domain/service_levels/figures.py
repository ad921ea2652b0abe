"""The figures of a month, measure by measure, and what they cost."""

import operator
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Annotated

from pydantic import Field

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.money import Pounds
from orchestrator.domain.service_levels.credits import LinearCredit, Points, PointsCredit, PointsTable, credit_of
from orchestrator.domain.value import Value

Measure = Annotated[str, Field(min_length=1, max_length=60)]
"""The name of a measure with a promised service level, e.g. `availability`."""


def in_percent(figure: Decimal | None) -> str:
    """A percentage for display, with at most three decimals: truncated, so that a near miss is not shown as kept. A
    dash when there was nothing to judge."""
    return "-" if figure is None else f"{figure.quantize(Decimal('0.001'), rounding=ROUND_DOWN).normalize():f} %"


class Achieved(Value):
    """The result of a measure, in percent; None when there was nothing to judge. If it is `forgiven` it is not a
    failure, and if it `failed` it is one, whatever the percentage. `kept` is the result of a special rule of the
    agreement, until it is judged.
    """

    percent: Decimal | None
    provisional: bool = False
    forgiven: bool = False
    failed: bool = Field(default=False, exclude_if=operator.not_)
    kept: bool | None = Field(default=None, exclude_if=lambda kept: kept is None)

    @property
    def judged(self) -> Decimal | None:
        return None if self.forgiven else self.percent

    def settled(self, misses: Callable[[Decimal | None], bool]) -> "Achieved":
        """Apply the special rule, if there is one and it contradicts the target, which `misses` checks."""
        if self.kept is None:
            return self
        missed = misses(self.percent)
        otherwise = {"forgiven": self.forgiven or (self.kept and missed), "failed": not self.kept and not missed}
        return self.model_copy(update={"kept": None, **otherwise})


class MeasureResult(Value):
    """`missed_before`: it was missed in the previous month too, which doubles the points."""

    achieved: Achieved
    missed: bool
    missed_before: bool = False
    points: Points = 0


class Figures(Value):
    """All figures that follow from the records of a month. Money is in pounds for the whole month."""

    results: Mapping[Measure, MeasureResult]
    charges: Pounds
    credit: Pounds

    @property
    def points(self) -> int:
        return sum(result.points for result in self.results.values())

    @property
    def missed(self) -> frozenset[Measure]:
        return frozenset(measure for measure, result in self.results.items() if result.missed)

    @property
    def repeated(self) -> frozenset[Measure]:
        """The measures missed in the previous month too."""
        return frozenset(measure for measure in self.missed if self.results[measure].missed_before)

    @property
    def provisional(self) -> bool:
        return any(result.achieved.provisional for result in self.results.values())


def figures_by_points(
    achieved: Mapping[Measure, Achieved],
    tables: Mapping[Measure, PointsTable],
    terms: PointsCredit,
    *,
    charges: Decimal,
    missed_before: frozenset[Measure],
) -> Figures:
    """Judge every measure by its own table; the credit is for all points together.

    Raises INVALID if a measure is missing.
    """
    _refuse_missing(achieved, tables)
    results = {
        measure: _by_table(achieved[measure].settled(table.misses), table, missed_before=measure in missed_before)
        for measure, table in tables.items()
    }
    points = sum(result.points for result in results.values())
    return Figures(results=results, charges=charges, credit=credit_of(terms.percent(points), charges))


def _by_table(found: Achieved, table: PointsTable, *, missed_before: bool) -> MeasureResult:
    missed = found.failed or table.misses(found.judged)
    return MeasureResult(
        achieved=found,
        missed=missed,
        missed_before=missed_before,
        points=table.points_of_failure(found.percent, missed_before=missed_before) if missed else 0,
    )


def figures_by_shortfall(
    achieved: Mapping[Measure, Achieved], terms: Mapping[Measure, LinearCredit], *, charges: Decimal
) -> Figures:
    """Judge every measure by its own terms; together they cost at most the charges. There are no points. A failure by a
    special rule that is not below the target costs nothing: there is no shortfall.

    Raises INVALID if a measure is missing.
    """
    _refuse_missing(achieved, terms)
    found = {measure: achieved[measure].settled(linear.misses) for measure, linear in terms.items()}
    results = {
        measure: MeasureResult(achieved=one, missed=one.failed or terms[measure].misses(one.judged))
        for measure, one in found.items()
    }
    percent = sum((linear.percent(found[measure].judged) for measure, linear in terms.items()), Decimal(0))
    return Figures(results=results, charges=charges, credit=credit_of(min(percent, Decimal(100)), charges))


def _refuse_missing(achieved: Mapping[Measure, Achieved], promised: Iterable[Measure]) -> None:
    missing = sorted(measure for measure in promised if measure not in achieved)
    if missing:
        raise OrchestratorError(
            Kind.INVALID,
            f"there are no figures for {', '.join(missing)}; every measure must be judged",
            hint="if there was nothing to judge, state that",
        )
