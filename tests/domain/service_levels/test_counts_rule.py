"""An agreement's rule for late incidents decides whether the measure was missed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.service_levels.credits import LinearCredit, PointsCredit, PointsTable
from orchestrator.domain.service_levels.figures import Achieved, Figures, figures_by_points, figures_by_shortfall
from orchestrator.domain.service_levels.incidents import CountsRule
from orchestrator.domain.service_levels.terms import in_time

MEASURE = "incident-fix/p1"
TABLE = PointsTable.model_validate(
    {
        "target": 95,
        "bands": [{"title": "minor", "at_least": 90, "points": 1}, {"title": "serious", "at_least": 80, "points": 2}],
        "below": 3,
    }
)
LINEAR = LinearCredit(target=Decimal(95), rate=Decimal(1), whole_points=False)


def by_points(achieved: Achieved, table: PointsTable = TABLE) -> Figures:
    terms = PointsCredit(per_point=Decimal("0.5"), cap=Decimal(10))
    tables = {MEASURE: table}
    return figures_by_points({MEASURE: achieved}, tables, terms, charges=Decimal(1000), missed_before=frozenset())


def by_shortfall(achieved: Achieved) -> Figures:
    return figures_by_shortfall({MEASURE: achieved}, {MEASURE: LINEAR}, charges=Decimal(1000))


@pytest.mark.parametrize(
    ("rule", "incidents", "late", "points"),
    [
        ({"few": 200, "late_of_few": 2}, 199, 3, 1),  # 98.5 %, and still one more than may be late
        ({"few": 200, "late_of_few": 2}, 199, 2, 0),
        ({"few": 10, "late_of_few": 0}, 9, 1, 2),  # 88.9 %
        ({"few": 10, "percent_in_time": 80}, 100, 20, 0),  # as much as was agreed, whatever the table's target
        ({"few": 10, "percent_in_time": 80}, 100, 21, 3),
        ({"few": 10, "percent_in_time": 80}, 1000, 205, 3),
        ({"few": 10, "percent_in_time": 98}, 100, 3, 1),
        ({"few": 10, "percent_in_time": 98}, 100, 2, 0),
        ({"few": 10}, 100, 5, 0),  # nothing is declared for many: the table's target decides
        ({"few": 10}, 100, 6, 1),
    ],
)
def test_few_and_many_incidents_are_judged_by_their_declared_limits(
    rule: dict[str, int], incidents: int, late: int, points: int
) -> None:
    achieved = in_time(CountsRule.model_validate(rule), incidents=incidents, late=late)
    found = by_points(achieved).results[MEASURE]
    assert (found.missed, found.points) == (points > 0, points)
    assert by_shortfall(achieved).results[MEASURE].missed is found.missed


@pytest.mark.parametrize(("incidents", "late", "forgiven"), [(9, 1, True), (9, 2, False), (10, 0, False)])
def test_late_incidents_are_forgiven_while_there_are_few(incidents: int, late: int, forgiven: bool) -> None:
    rule = CountsRule(few=10, late_of_few=1, percent_in_time=Decimal(80))
    assert in_time(rule, incidents=incidents, late=late).forgiven is forgiven


def test_a_table_without_bands_has_one_degree_of_failure() -> None:
    achieved = in_time(CountsRule(few=200), incidents=199, late=3)
    assert by_points(achieved, PointsTable(target=Decimal(95), below=4)).results[MEASURE].points == 4


percents = st.decimals(0, 100, places=1)


@given(st.integers(1, 100), st.integers(0, 5), st.none() | percents, st.integers(1, 150), st.integers(0, 150))
def test_the_measure_is_missed_when_more_incidents_were_late_than_agreed(
    few: int, late_of_few: int, percent: Decimal | None, incidents: int, late: int
) -> None:
    late = min(late, incidents)
    rule = CountsRule(few=few, late_of_few=late_of_few, percent_in_time=percent)
    if incidents < few:
        allowed: float = late_of_few
    else:
        allowed = float(incidents * (100 - (95 if percent is None else percent)) / 100)
    missed = late > allowed + 1e-9
    figures = by_points(in_time(rule, incidents=incidents, late=late))
    if percent is None and incidents >= few:  # the table reads one decimal
        missed = 1000 * (incidents - late) // incidents < 950
    assert figures.results[MEASURE].missed is missed
    assert (figures.credit > 0) is missed
