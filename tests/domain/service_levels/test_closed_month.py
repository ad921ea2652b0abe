"""Closing a month, and the effect of late evidence."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.service_levels.closed_month import ClosedMonth, CreditNote
from orchestrator.domain.service_levels.credits import LinearCredit, PointsCredit, PointsTable
from orchestrator.domain.service_levels.figures import Achieved, Figures, figures_by_points, figures_by_shortfall
from tests.domain.service_levels.vectors import LONDON, VECTORS, london

APRIL = CalendarMonth(year=2026, number=4)
TABLE = PointsTable.model_validate(VECTORS["points_table"])
TERMS = PointsCredit(per_point=Decimal("0.5"), cap=Decimal(10))
CHARGES = Decimal("666666.67")
NOTHING: frozenset[str] = frozenset()


def figures(*achieved: str | None, missed_before: frozenset[str] = NOTHING, provisional: bool = False) -> Figures:
    """Figures for a number of measures, named a, b, ..."""
    found = {
        name: Achieved(percent=None if text is None else Decimal(text), provisional=provisional)
        for name, text in zip("abc", achieved, strict=False)
    }
    return figures_by_points(found, dict.fromkeys(found, TABLE), TERMS, charges=CHARGES, missed_before=missed_before)


def closed(found: Figures, month: CalendarMonth = APRIL) -> ClosedMonth:
    at = london("2026-06-01T00:00")
    return ClosedMonth.close("cabinet-office", month, found, record={"n": 1}, at=at, zone=LONDON)


def note(month: ClosedMonth, version: int, amount: str) -> CreditNote:
    return CreditNote(agency="cabinet-office", month=month.month, version=version, amount=Decimal(amount))


class TestFigures:
    def test_add_the_points_of_all_measures_and_are_rounded_once(self) -> None:
        found = figures("96.5", "95.0", "99.0")
        assert (found.points, found.credit) == (7, Decimal("23333.33"))
        assert found.missed == {"a", "b"}

    def test_double_the_points_of_measures_also_missed_the_month_before(self) -> None:
        found = figures("96.5", "98.5", missed_before=frozenset({"a", "c"}))
        assert {name: result.points for name, result in found.results.items()} == {"a": 6, "b": 1}
        assert found.repeated == {"a"}

    def test_are_capped_all_together(self) -> None:
        everything = frozenset("abc")
        assert figures("0", "0", "0", missed_before=everything).points == 24
        assert figures("0", "0", "0", missed_before=everything).credit == Decimal("66666.67")

    def test_are_provisional_as_long_as_one_measure_is(self) -> None:
        assert figures("99", provisional=True).provisional
        assert not figures("99", None).provisional

    def test_by_shortfall_cost_no_more_than_the_charges(self) -> None:
        terms = dict.fromkeys("ab", LinearCredit(target=Decimal(98), rate=Decimal(1), whole_points=False))
        achieved = {"a": Achieved(percent=Decimal(75)), "b": Achieved(percent=Decimal(98))}
        found = figures_by_shortfall(achieved, terms, charges=Decimal("1000.00"))
        assert (found.credit, found.missed, found.points) == (Decimal("230.00"), {"a"}, 0)
        all_gone = dict.fromkeys("ab", Achieved(percent=Decimal(0)))
        assert figures_by_shortfall(all_gone, terms, charges=Decimal("1000.00")).credit == Decimal("1000.00")

    def test_need_every_measure_that_is_promised(self) -> None:
        with pytest.raises(OrchestratorError, match="there are no figures for b; every measure must be judged"):
            figures_by_points(
                {"a": Achieved(percent=None)},
                {"a": TABLE, "b": TABLE},
                TERMS,
                charges=CHARGES,
                missed_before=NOTHING,
            )


class TestClosing:
    def test_makes_the_first_version_and_its_credit_note(self) -> None:
        month = closed(figures("98.5"))
        assert month.current.version == 1
        assert month.credit_notes == (note(month, 1, "3333.33"),)

    def test_waits_for_the_end_of_the_month_where_the_agency_is(self) -> None:
        at = london("2026-04-30T23:59:59")
        with pytest.raises(OrchestratorError) as refused:
            ClosedMonth.close("cabinet-office", APRIL, figures("99"), record={}, at=at, zone=LONDON)
        assert refused.value.kind is Kind.CONFLICT
        assert refused.value.hint == "close it from 2026-04-30T23:00:00+00:00 on"
        after = at + timedelta(seconds=1)
        assert ClosedMonth.close("cabinet-office", APRIL, figures("99"), record={}, at=after, zone=LONDON)

    def test_of_a_good_month_needs_no_credit_note(self) -> None:
        assert closed(figures("99.5")).credit_notes == ()


class TestLateEvidence:
    LATER = london("2026-06-15T09:00")

    def test_makes_a_new_version_and_a_note_of_the_difference_and_both_stay(self) -> None:
        first = closed(figures("98.5"))
        second = first.restated(figures("96.5"), record={"n": 2}, at=self.LATER, why="INC-7 was reported late")
        assert second.versions[0] == first.current
        assert (second.current.version, second.current.why) == (2, "INC-7 was reported late")
        assert second.credit_notes == (note(first, 1, "3333.33"), note(first, 2, "6666.67"))

    def test_in_favour_of_the_provider_takes_credit_back(self) -> None:
        month = closed(figures("96.5")).restated(figures("99"), record={"n": 2}, at=self.LATER, why="an exclusion")
        assert [note.amount for note in month.credit_notes] == [Decimal("10000.00"), Decimal("-10000.00")]

    def test_that_changes_no_money_is_a_version_without_a_note(self) -> None:
        month = closed(figures("98.5")).restated(figures("98.6"), record={"n": 2}, at=self.LATER, why="a log was found")
        assert len(month.versions) == 2
        assert len(month.credit_notes) == 1

    def test_that_says_nothing_new_makes_no_version(self) -> None:
        month = closed(figures("98.5"))
        assert month.restated(figures("98.50"), record={"n": 1}, at=self.LATER, why="asked again") is month

    def test_is_never_older_than_what_it_changes(self) -> None:
        with pytest.raises(ValidationError, match="must not be older"):
            closed(figures("98.5")).restated(figures("99"), record={}, at=london("2026-05-31T09:00"), why="x")

    @given(st.lists(st.decimals(90, 100, places=1), min_size=1, max_size=6))
    def test_leaves_notes_that_add_up_to_what_is_owed_now(self, achieved: list[Decimal]) -> None:
        month = closed(figures(str(achieved[0])))
        for n, figure in enumerate(achieved[1:]):
            month = month.restated(figures(str(figure)), record={"late": n}, at=self.LATER, why="late")
        assert len(month.versions) == len(achieved)
        assert sum(note.amount for note in month.credit_notes) == month.current.figures.credit
        assert ClosedMonth.model_validate_json(month.model_dump_json()) == month


class TestTheMonthAfter:
    MAY = APRIL.following

    def test_is_outdated_when_its_failure_turns_out_to_be_a_repeated_one(self) -> None:
        april, may = closed(figures("99.0")), closed(figures("98.5"), self.MAY)
        assert not may.outdated_by(april)
        later = april.restated(figures("98.9"), record={"n": 2}, at=TestLateEvidence.LATER, why="late")
        assert may.outdated_by(later)
        doubled = figures("98.5", missed_before=later.current.figures.missed)
        assert not closed(doubled, self.MAY).outdated_by(later)

    def test_that_met_its_level_is_not_outdated(self) -> None:
        assert not closed(figures("99.5"), self.MAY).outdated_by(closed(figures("90")))

    def test_must_follow_immediately(self) -> None:
        with pytest.raises(OrchestratorError, match="2026-04 is not the month before 2026-04"):
            closed(figures("99")).outdated_by(closed(figures("99")))


def test_versions_have_no_gaps() -> None:
    month = closed(figures("99"))
    with pytest.raises(ValidationError, match="numbered from 1"):
        ClosedMonth(agency="cabinet-office", month=APRIL, versions=(month.current, month.current))
