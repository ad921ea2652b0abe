"""What agencies have and were promised, and their secrets, in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.allocation import Allocation, Holding
from orchestrator.domain.ordering.agency import AgencyRecord, StoredPlan
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Plan
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.ports.secrets import MadeSecret, SecretPlace
from tests.memory.records import Block, Repository, Secret, add_new, forget

PENCE = 100


class Agencies(Repository):
    def get(self, agency: str) -> AgencyRecord | None:
        return self.records.agencies.get(agency)

    def all(self) -> list[AgencyRecord]:
        return [record for _, record in sorted(self.records.agencies.items())]

    def put(self, record: AgencyRecord) -> None:
        before = self.get(record.id) or record.model_copy(update={"owed": Decimal(0)})
        whose = (record.id, before.framework)
        more = int(record.owed * PENCE) - int(before.owed * PENCE)
        self.records.owed[whose] = self.records.owed.get(whose, 0) + more
        self.records.agencies[record.id] = record

    def committed(self, framework: str, *, without: str) -> Decimal:
        promised = (
            int(a.committed * PENCE)
            for a in self.all()
            if a.framework == framework and a.offboarded_at is None and a.id != without
        )
        owed = (pence for (_, under), pence in self.records.owed.items() if under == framework)
        return Decimal(sum(promised) + sum(owed)) / PENCE


class Instances(Repository):
    def of(self, agency: str) -> dict[str, ServiceInstance]:
        return {instance.component: instance for instance in self.all() if instance.agency == agency}

    def all(self) -> list[ServiceInstance]:
        return [instance for _, instance in sorted(self.records.instances.items(), key=lambda row: row[0])]

    def put(self, instance: ServiceInstance) -> None:
        self.records.require_agency(instance.agency)
        self.records.instances[instance.agency, instance.component] = instance

    def put_all(self, instances: Iterable[ServiceInstance]) -> None:
        for instance in instances:
            self.put(instance)


class Allocations(Repository):
    def of(self, agency: str, *, site: str) -> dict[str, Allocation]:
        held = (block.allocation for block in self.records.blocks.values())
        return {one.name: one for one in held if (one.agency, one.site) == (agency, site)}

    def taken(self, site: str, pool: str) -> set[str]:
        return {block for place, within, block in self.records.blocks if (place, within) == (site, pool)}

    def first_gap(self, site: str, pool: str) -> int | None:
        held = {row.position for key, row in self.records.blocks.items() if key[:2] == (site, pool)}
        return None if None in held else next(n for n in range(len(held) + 1) if n not in held)

    def held(self, site: str, pool: str, block: str) -> bool:
        return (site, pool, block) in self.records.blocks

    def add(self, allocation: Allocation, *, at: datetime, position: int | None = None) -> None:
        one, site = allocation, allocation.site
        if self.held(site, one.pool, one.block) or one.name in self.of(one.agency, site=site):
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{one.block} of {one.pool} has just been taken by somebody else",
                hint="plan again",
            )
        self.records.blocks[site, one.pool, one.block] = Block(allocation, at, position)

    def hold(self, agency: str) -> None:
        for key, row in self.records.blocks.items():
            if row.allocation.agency == agency:
                held = row.allocation.model_copy(update={"holding": Holding.HELD})
                self.records.blocks[key] = row._replace(allocation=held)

    def release(self, agency: str, names: Iterable[str]) -> None:
        gone = set(names)
        self._give_back(lambda row: row.allocation.agency == agency and row.allocation.name in gone)

    def give_up(self, agency: str, names: Iterable[str]) -> None:
        gone = set(names)
        self._give_back(lambda row: _reserved(row) and row.allocation.agency == agency and row.allocation.name in gone)

    def forget_reserved(self, *, before: datetime) -> None:
        self._give_back(lambda row: _reserved(row) and row.at < before)

    def _give_back(self, which: Callable[[Block], bool]) -> None:
        forget(self.records.blocks, lambda _, row: which(row))


def _reserved(row: Block) -> bool:
    return row.allocation.holding is Holding.RESERVED


class Plans(Repository):
    def add(self, plan: Plan, *, order: CallOff | None, at: datetime) -> StoredPlan:
        stored = StoredPlan(id=self.records.number("plan"), plan=plan, order=order, created_at=at)
        self.records.plans[stored.id] = stored
        return stored

    def get(self, plan: int) -> StoredPlan | None:
        return self.records.plans.get(plan)

    def desired(self, plan: int) -> Mapping[str, ServiceInstance | None]:
        return dict(self.records.plans[plan].plan.desired)

    def forget_unapplied(self, *, before: datetime, limit: int) -> int:
        used = {run.plan for run in self.records.runs.values()} | {drill.plan for drill in self.records.drills.values()}
        return forget(self.records.plans, lambda key, row: row.created_at < before and key not in used, limit=limit)


class Secrets(Repository):
    def of(self, agency: str, component: str) -> dict[str, bytes]:
        return {place[2]: row.token for place, row in self._mine(agency, component).items()}

    def add(self, agency: str, component: str, name: str, token: bytes, *, at: datetime) -> None:
        add_new(self.records.secrets, (agency, component, name), Secret(token, at))

    def forget(self, agency: str, component: str, *, apart_from: Sequence[str] = ()) -> None:
        whose = (agency, component)
        forget(self.records.secrets, lambda place, _: place[:2] == whose and place[2] not in apart_from)

    def propose(self, place: SecretPlace, token: bytes) -> None:
        self._change(place, proposed=token)

    def proposed(self, agency: str) -> dict[str, dict[str, bytes]]:
        found: dict[str, dict[str, bytes]] = {}
        for (whose, component, name), row in self.records.secrets.items():
            if whose == agency and row.proposed is not None:
                found.setdefault(component, {})[name] = row.proposed
        return found

    def accept(self, agency: str, component: str, *, at: datetime) -> None:
        for place, row in self._mine(agency, component).items():
            if row.proposed is not None:
                self.records.secrets[place] = Secret(row.proposed, at)

    def made(self, agency: str | None = None) -> list[MadeSecret]:
        rows = sorted(self.records.secrets.items())
        mine = (row for row in rows if agency in (None, row[0][0]))
        return [MadeSecret(*place, row.made_at, row.proposed is not None) for place, row in mine]

    def after(self, place: SecretPlace | None, *, limit: int) -> list[tuple[SecretPlace, bytes, bytes | None]]:
        behind = (one for one in sorted(self.records.secrets) if place is None or one > place)
        rows = ((one, self.records.secrets[one]) for one in behind)
        return [(one, row.token, row.proposed) for one, row in rows][:limit]

    def replace(self, place: SecretPlace, token: bytes, proposed: bytes | None) -> None:
        self._change(place, token=token, proposed=proposed)

    def _mine(self, agency: str, component: str) -> dict[SecretPlace, Secret]:
        return {place: row for place, row in self.records.secrets.items() if place[:2] == (agency, component)}

    def _change(self, place: SecretPlace, **known: bytes | None) -> None:
        if place in self.records.secrets:
            changed = {**self.records.secrets[place]._asdict(), **known}
            self.records.secrets[place] = Secret(**changed)
