"""What an order may change in a contract, and what it may not."""

from datetime import date
from typing import Any

import pytest

from orchestrator.domain.charging.charges import Agreed
from orchestrator.domain.ordering.contract import contract_changes, refusals
from orchestrator.domain.selling.agreement import CallOff
from tests.domain.conftest import call_off

BEFORE = call_off({"network": {"tier": "standard"}})
"""From 1 December 2026, for twelve months."""


def changed(**parts: Any) -> CallOff:
    document = BEFORE.document()
    for section, given in parts.items():
        document[section] = {**document.get(section, {}), **given} if isinstance(given, dict) else given
    return CallOff.model_validate(document)


def refused(on: str, **parts: Any) -> list[tuple[str, str]]:
    agreed = Agreed(call_off=BEFORE, rates=(), on=date.fromisoformat(on))
    return [(".".join(at), told) for at, told in refusals(agreed, changed(**parts))]


class TestAForbiddenChange:
    def test_of_agreement_site_or_class_is_reported_with_all_others_at_once(self) -> None:
        found = refused("2027-02-01", framework="other", site="there", agency={"class": "central-government"})
        assert [at for at, _ in found] == ["framework", "site", "agency.class"]

    @pytest.mark.parametrize(
        ("on", "start", "months", "told"),
        [
            ("2026-11-30", "2027-02-01", 12, None),  # not begun: may be moved
            ("2026-12-01", "2027-02-01", 12, "cannot change"),
            ("2026-12-01", "2026-12-01", 1, None),
            ("2026-12-31", "2026-12-01", 1, None),  # ends tomorrow
            ("2027-01-01", "2026-12-01", 1, "has passed"),
            ("2027-11-30", "2027-12-01", 12, "cannot change"),
            ("2027-12-01", "2027-12-01", 12, None),  # the one before is over
            ("2028-01-15", "2027-11-01", 12, "ended on 2027-12-01"),
            ("2028-01-15", "2026-12-01", 24, None),  # extended late
        ],
    )
    def test_of_a_term_depends_on_how_much_of_it_has_passed(
        self, on: str, start: str, months: int, told: str | None
    ) -> None:
        found = refused(on, term={"start": start, "months": months})
        assert bool(found) == bool(told)
        assert all(at == "term" and told and told in message for at, message in found)

    def test_is_not_seen_in_a_finished_term_that_stays_the_same(self) -> None:
        """An order that changes something else, much later."""
        assert refused("2031-01-01", agency={"seats": 5}) == []


class TestContractChanges:
    def test_list_only_what_differs(self) -> None:
        assert contract_changes(BEFORE, changed()) == ()
        assert [f.path for f in contract_changes(BEFORE, changed(agency={"seats": 11, "name": "B"}))] == [
            "agency.name",
            "agency.seats",
        ]

    def test_do_not_include_services(self) -> None:
        assert contract_changes(BEFORE, changed(services={"network": {"tier": "premium"}})) == ()

    def test_include_recovery_terms_only_if_they_have_an_effect(self) -> None:
        assert contract_changes(BEFORE, changed(recovery={"blackouts": []})) == ()
        [found] = contract_changes(BEFORE, changed(recovery={"worst_moment_share": 0}))
        assert (found.path, found.before, found.after) == ("recovery.worst_moment_share", None, 0)
