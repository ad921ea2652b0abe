"""What the records of a month come to, measure by measure, and what that costs."""

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
"""Of which a service level is promised, e.g. `availability`."""


def in_percent(figure: Decimal | None) -> str:
    """A percentage as people read it, at most three decimals: cut, so that what was missed by a hair is not shown as
    kept. A dash when there was nothing to judge."""
    return "-" if figure is None else f"{figure.quantize(Decimal('0.001'), rounding=ROUND_DOWN).normalize():f} %"


class Achieved(Value):
    """What a measure came to, in percent; None when there was nothing to judge. What is `forgiven` is no failure and
    what `failed` is one, whatever the percentage. `kept`: what a rule of the agreement's own says, until it is judged.
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
        """By a rule of its own, where there is one and it says otherwise than the target, which `misses` tells of."""
        if self.kept is None:
            return self
        missed = misses(self.percent)
        otherwise = {"forgiven": self.forgiven or (self.kept and missed), "failed": not self.kept and not missed}
        return self.model_copy(update={"kept": None, **otherwise})


class MeasureResult(Value):
    """`missed_before`: in the month before, which doubles the points."""

    achieved: Achieved
    missed: bool
    missed_before: bool = False
    points: Points = 0


class Figures(Value):
    """All that follows from the records of a month, in pounds for the whole of it."""

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
        """Missed as in the month before."""
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
    """Every measure by its own table; the credit is for all their points.

    Raises invalid when a measure was not found.
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
    """Every measure by its own terms; together they cost no more than the charges. There are no points. What failed by
    a rule of its own and is not below the target costs nothing: no percentage point is missing.

    Raises invalid when a measure was not found.
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
            f"nothing was found for {', '.join(missing)}; every measure is judged",
            hint="say that there was nothing to judge, if there was not",
        )
