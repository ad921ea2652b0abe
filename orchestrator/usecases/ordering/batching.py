"""Batching: planning a folder of call-offs as one order, so that many agencies are reviewed and applied together."""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.agency import StoredPlan
from orchestrator.domain.ordering.plan import Effect
from orchestrator.domain.runs.run import Run
from orchestrator.domain.runs.run_options import USUAL, RunOptions
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.value import Value
from orchestrator.ports.store import Store
from orchestrator.usecases.ordering.planning import Planning
from orchestrator.usecases.ordering.provisioning import Provisioning

PATTERNS = ("*.yml", "*.yaml")


class Planned(Value):
    """A file and its stored plan."""

    file: Path
    stored: StoredPlan


class Refused(Value):
    """A file that is not planned or not applied. Each problem names the file, and the line if there is one."""

    file: Path
    kind: Kind
    problems: tuple[str, ...]


class Totals(Value):
    """The sums of all plans. Money in pounds, for all that is ordered, changed or not."""

    agencies: int
    to_change: int
    changes: dict[Effect, int]
    steps: int
    hosts: int
    per_year: Decimal
    term_total: Decimal


class Batch(Value):
    planned: tuple[Planned, ...]
    refused: tuple[Refused, ...]

    @property
    def to_do(self) -> tuple[Planned, ...]:
        """Plans that change something."""
        return tuple(one for one in self.planned if not one.stored.plan.empty)

    @property
    def totals(self) -> Totals:
        plans = [one.stored.plan for one in self.planned]
        effects = Counter(change.effect for plan in plans for change in plan.changes)
        return Totals(
            agencies=len(plans),
            to_change=len(self.to_do),
            changes={effect: effects[effect] for effect in Effect if effect is not Effect.NONE},
            steps=sum(len(plan.steps) for plan in plans),
            hosts=len({(plan.site, host) for plan in plans for step in plan.steps for host in step.hosts}),
            per_year=sum((plan.cost.per_year for plan in plans), Decimal(0)),
            term_total=sum((plan.cost.term_total for plan in plans), Decimal(0)),
        )


@dataclass(frozen=True)
class Batching:
    store: Store
    planning: Planning

    def plan(self, folder: Path, *, renamed: bool = False) -> Batch:
        """Plan every call-off in a folder, in the order of file names. Files are refused one by one. What is left under
        an agreement's ceiling is given out in the same order."""
        ahead = _Ahead()
        planned: list[Planned] = []
        refused: list[Refused] = []
        for file in _files(folder):
            try:
                planned.append(Planned(file=file, stored=self._plan(file, ahead, renamed=renamed)))
            except OrchestratorError as error:
                refused.append(Refused(file=file, kind=error.kind, problems=error.details or (error.message,)))
        return Batch(planned=tuple(planned), refused=tuple(refused))

    def open_runs(
        self, batch: Batch, provisioning: Provisioning, options: RunOptions = USUAL
    ) -> tuple[dict[int, Run], tuple[Refused, ...]]:
        """Queue the runs of all plans that change something: plan -> run, and what was refused because the records have
        changed since."""
        runs: dict[int, Run] = {}
        refused: list[Refused] = []
        for one in batch.planned:
            try:
                if not one.stored.plan.empty:
                    runs[one.stored.id] = provisioning.open_run(one.stored.id, options)
            except OrchestratorError as error:
                refused.append(self._refused_at(one, error))
        return runs, tuple(refused)

    def without_losses(self, batch: Batch, said: Collection[str]) -> Batch:
        """The batch, refusing plans that destroy what was not confirmed."""
        kept, refused = [], []
        for one in batch.planned:
            if left := one.stored.plan.unconfirmed(said):
                agency = one.stored.plan.agency
                message = f"destroys data of {agency} in {', '.join(left)}; add --yes-destroy {agency}"
                refused.append(self._refused_at(one, OrchestratorError(Kind.INVALID, message)))
            else:
                kept.append(one)
        return Batch(planned=tuple(kept), refused=(*batch.refused, *refused))

    def without_those_in_the_way(self, batch: Batch) -> Batch:
        """The batch, refusing plans of agencies with an open run."""
        free, busy = [], []
        with self.store.read() as tx:
            for one in batch.planned:
                agency = one.stored.plan.agency
                run = None if one.stored.plan.empty else tx.runs.open_of(agency)
                if run is None:
                    free.append(one)
                else:
                    message = f"run {run.id} of {agency} is {run.state.value}; an agency has one open run at a time"
                    busy.append(self._refused_at(one, OrchestratorError(Kind.CONFLICT, message)))
        return Batch(planned=tuple(free), refused=(*batch.refused, *busy))

    # Inside

    def _plan(self, file: Path, ahead: "_Ahead", *, renamed: bool) -> StoredPlan:
        call_off = self.planning.read(file)
        agency, document = call_off.agency.id, self.planning.source.document(file)
        if other := ahead.files.get(agency):
            problem = document.problem(("agency", "id"), f"{agency!r} is ordered in {other} already")
            raise OrchestratorError(Kind.INVALID, str(problem))
        ahead.files[agency] = file
        try:
            stored = self.planning.plan(call_off, renamed=renamed)
            self._check_ceiling(stored, self.planning.agreement(call_off.framework), ahead)
        except OrchestratorError as error:
            raise OrchestratorError(error.kind, str(document.problem(("agency",), error.message))) from error
        return stored

    def _check_ceiling(self, stored: StoredPlan, agreement: FrameworkAgreement, ahead: "_Ahead") -> None:
        """Orders of the files before this one count as committed already."""
        framework, ordered = agreement.framework, stored.plan.cost.term_total
        with self.store.read() as tx:
            others = tx.agencies.committed(framework, without=stored.plan.agency)
            own = tx.agencies.committed(framework, without="") - others
        if (total := others + ahead.added[framework] + ordered) > agreement.ceiling:
            raise OrchestratorError(
                Kind.NOT_COVERED,
                f"{agreement.title} would exceed its ceiling of £{agreement.ceiling:,.2f}: "
                f"£{total:,.2f} with this order and those before it",
            )
        ahead.added[framework] += ordered - own

    def _refused_at(self, one: Planned, error: OrchestratorError) -> Refused:
        problem = self.planning.source.document(one.file).problem(("agency",), error.message)
        return Refused(file=one.file, kind=error.kind, problems=(str(problem),))


@dataclass(frozen=True)
class _Ahead:
    """What earlier files have ordered: for whom, and pounds beyond what is committed, by framework."""

    files: dict[str, Path] = field(default_factory=dict)
    added: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def _files(folder: Path) -> list[Path]:
    files = sorted(file for pattern in PATTERNS for file in folder.glob(pattern))
    if not files:
        raise OrchestratorError(Kind.NOT_FOUND, f"{folder} contains no call-off: no file {' or '.join(PATTERNS)}")
    return files
