"""Components that people deliver: what their files must say."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.domain.selling.catalog import BY_PEOPLE, Component
from tests.domain.conftest import component

WORK = {verb: {"title": f"Do {verb}", "checklist": ["It is done."]} for verb in BY_PEOPLE}
WITHIN = dict.fromkeys(BY_PEOPLE, "PT8H")
TIER = {"title": "Only", "within": WITHIN, "price": {"per": "agency", "per_year": "1.00"}, "watts": 0}


def training(**changes: Any) -> Component:
    written = {
        "component": "training",
        "title": "Training",
        "description": "For tests.",
        "tenancy": "shared",
        "needs": ["service-desk"],
        "work": WORK,
        "parameters": {},
        "tiers": {"standard": TIER},
    }
    return Component.model_validate({**written, **changes})


def test_people_need_neither_role_nor_hosts() -> None:
    assert training().by_people
    assert training().hosts == {}
    assert not component("network").by_people


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"role": "training"}, "has work, so it can have no role"),
        ({"hosts": {"main": "hosts"}}, "has work, so it can have no role, no hosts"),
        ({"recovery": {"data": ["lists"]}}, "no data to back up"),
        ({"needs": []}, "needs 'service-desk', where its tickets are"),
        ({"work": {"provision": WORK["provision"]}}, "people carry out provision, verify, retire"),
        ({"work": {**WORK, "backup": WORK["retire"]}}, "state the work of each and no other"),
        ({"tiers": {"standard": {**TIER, "within": {}}}}, "the tier 'standard' must state within what time"),
        ({"work": {**WORK, "verify": {"title": "Accept", "checklist": []}}}, "checklist"),
        ({"work": {**WORK, "verify": {"title": "Two\nlines", "checklist": ["Done."]}}}, "title"),
        ({"tiers": {"standard": {**TIER, "within": {**WITHIN, "verify": "PT0S"}}}}, "within"),
        ({"work": {}}, "needs a role and hosts, or work if people deliver it"),
        ({"work": {}, "role": "r", "hosts": {"main": "hosts"}}, "the tier 'standard' needs recovery objectives"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        training(**changes)
