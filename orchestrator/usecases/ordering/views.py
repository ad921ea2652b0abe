"""Plans as people and scripts are shown them."""

from datetime import date
from typing import Any

from orchestrator.domain.charging.cost import Cost
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.difference import FieldChange
from orchestrator.domain.ordering.loss import Loss
from orchestrator.domain.ordering.plan import Effect, Purpose
from orchestrator.domain.selling.catalog import Verb
from orchestrator.domain.value import Value


class ChangeView(Value):
    component: str
    effect: Effect
    tier: str
    fields: tuple[FieldChange, ...]
    destroys: tuple[Loss, ...]


class StepLine(Value):
    id: str
    component: str
    verb: Verb
    hosts: tuple[str, ...]
    needs: tuple[str, ...]
    because: str


class CommitmentView(Value):
    """Pounds, as text."""

    per_year: str
    term_total: str


class CostView(CommitmentView):
    """Pounds, as text: money is not a floating-point number. `per_year` and `lines` are today's prices,
    `charged_per_year` is charged from the day `since` on, and `before` is what the agency was committed to."""

    currency: str = "GBP"
    charged_per_year: str
    since: date | None
    before: CommitmentView | None
    lines: tuple[dict[str, Any], ...]


class PlanView(Value):
    plan: int
    digest: str
    agency: str
    purpose: Purpose
    site: str
    contract: tuple[FieldChange, ...]
    changes: tuple[ChangeView, ...]
    steps: tuple[StepLine, ...]
    cost: CostView
    allocations: dict[str, str]

    @property
    def empty(self) -> bool:
        return not self.steps and not self.contract


def plan_view(stored: StoredPlan) -> PlanView:
    plan = stored.plan
    return PlanView(
        plan=stored.id,
        digest=plan.digest,
        agency=plan.agency,
        purpose=plan.purpose,
        site=plan.site,
        contract=plan.contract,
        changes=tuple(ChangeView(**c.model_dump()) for c in plan.changes),
        steps=tuple(
            StepLine(id=s.id, component=s.component, verb=s.verb, hosts=s.hosts, needs=s.needs, because=s.because)
            for s in plan.steps
        ),
        cost=_cost_view(plan.cost),
        allocations=dict(plan.allocations),
    )


def _cost_view(cost: Cost) -> CostView:
    before = cost.before and CommitmentView(
        per_year=f"{cost.before.per_year:.2f}", term_total=f"{cost.before.term_total:.2f}"
    )
    return CostView(
        per_year=f"{cost.per_year:.2f}",
        term_total=f"{cost.term_total:.2f}",
        charged_per_year=f"{cost.charged_per_year:.2f}",
        since=cost.rates[-1].since if cost.rates else None,
        before=before,
        lines=tuple(line.model_dump(mode="json") for line in cost.lines),
    )
