"""Plans from data: each file in plans/ has what is ordered, what is recorded, and the expected plan."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.estate.site import Site
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Plan
from orchestrator.domain.ordering.plan_making import make_plan
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.catalog import Catalog
from tests.domain.conftest import allocate, basis, call_off

CASES = sorted(Path(__file__).parent.glob("plans/*.yml"))


def recorded_instances(recorded: dict[str, Any]) -> dict[str, ServiceInstance]:
    return {
        name: ServiceInstance.model_validate(
            {
                "agency": "a1",
                "component": name,
                "tier": "standard",
                "quantity": 1,
                "parameters": {"size": 1},
                "state": "in_service",
                "changed_at": datetime(2026, 1, 1, tzinfo=UTC),
                **given,
            }
        )
        for name, given in recorded.items()
    }


def planned(case: dict[str, Any], *, catalog: Catalog, agreement: FrameworkAgreement, site: Site) -> Plan:
    recorded = recorded_instances(case.get("recorded") or {})
    held = {
        name: Allocation(site=site.name, pool=pool, block=block, agency="a1", name=name)
        for name, (pool, block) in (case.get("held") or {}).items()
    }
    order = call_off(case["wanted"]) if case["wanted"] else None
    given = allocate(order, catalog=catalog, site=site, held=held) if order else held
    found = case.get("drifted")
    return make_plan(
        basis(
            order,
            catalog=catalog,
            agreement=agreement,
            site=site,
            recorded=recorded,
            allocations=given,
            drifted=found,
            renewed=case.get("renewed"),
        )
    )


def summary(plan: Plan) -> dict[str, Any]:
    """The plan in the format of the data files."""
    return {
        "purpose": plan.purpose.value,
        "changes": {c.component: [c.effect.value, *(f.path for f in c.fields)] for c in plan.changes},
        "steps": {s.id: [list(s.hosts), list(s.needs)] for s in plan.steps},
        "per_year": str(plan.cost.per_year),
        **({"destroys": told} if (told := _destroys(plan)) else {}),
    }


def _destroys(plan: Plan) -> dict[str, list[str]]:
    return {c.component: [str(loss) for loss in c.destroys] for c in plan.changes if c.destroys}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_the_plan_matches_the_case(case: Path, catalog: Catalog, agreement: FrameworkAgreement, site: Site) -> None:
    document = yaml.safe_load(case.read_text())
    plan = planned(document, catalog=catalog, agreement=agreement, site=site)
    assert summary(plan) == document["plan"]


def test_there_are_cases() -> None:
    assert len(CASES) >= 8
