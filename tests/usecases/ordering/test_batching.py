"""A folder of call-offs: planned together, refused one by one, and applied."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.plan import Effect
from orchestrator.usecases.ordering.batching import Batch, Batching
from tests.usecases.conftest import House, order

Write = Callable[..., Path]


@pytest.fixture
def batching(house: House) -> Batching:
    return Batching(store=house.store, planning=house.planning)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a call-off into the folder."""
    folder = tmp_path / "orders"
    folder.mkdir()

    def write(name: str, **given: object) -> Path:
        agency, seats = str(given.pop("agency", name)), int(str(given.pop("seats", 10)))
        document = order(agency, seats=seats, **given).document()  # type: ignore[arg-type]
        for service in document["services"].values():
            del service["quantity"]  # which only what is sold by the unit may have
        (folder / f"{name}.yml").write_text(json.dumps(document, indent=1))
        return folder

    return write


def problems(batch: Batch) -> list[str]:
    return [problem for one in batch.refused for problem in one.problems]


class TestAFolder:
    def test_is_planned_whole(self, house: House, batching: Batching, write: Write) -> None:
        house.apply(order("a-one"))
        write("a-one"), write("a-two", alpha={}, beta={})
        batch = batching.plan(write("a-three"))
        assert [one.file.name for one in batch.planned] == ["a-one.yml", "a-three.yml", "a-two.yml"]
        totals = batch.totals
        assert (totals.agencies, totals.to_change, totals.changes[Effect.CREATE]) == (3, 2, 3)
        assert totals.term_total == sum(one.stored.plan.cost.term_total for one in batch.planned)
        assert len({one.stored.plan.allocations["subnet"] for one in batch.planned}) == 3

    def test_is_applied_whole(self, house: House, batching: Batching, write: Write) -> None:
        house.apply(order("a-one"))
        write("a-one"), write("a-two")
        runs, refused = batching.open_runs(batching.plan(write("a-three")), house.provisioning)
        assert ([run.agency for run in runs.values()], refused) == (["a-three", "a-two"], ())

    def test_without_any_file_is_not_found(self, batching: Batching, tmp_path: Path) -> None:
        with pytest.raises(OrchestratorError) as refused:
            batching.plan(tmp_path)
        assert refused.value.kind is Kind.NOT_FOUND


class TestAFileOfAFolder:
    def test_that_is_wrong_is_refused_with_its_line(self, batching: Batching, write: Write) -> None:
        write("a-one", alpha={"tier": "golden"})
        batch = batching.plan(write("a-two"))
        assert [one.file.name for one in batch.planned] == ["a-two.yml"]
        [problem] = problems(batch)
        assert "a-one.yml:23: services.alpha.tier: 'golden' is not one of" in problem

    def test_of_the_same_agency_as_another_file_is_refused(self, batching: Batching, write: Write) -> None:
        write("first", agency="a-one")
        [problem] = problems(batching.plan(write("second", agency="a-one")))
        assert "second.yml:4: agency.id: 'a-one' is ordered in" in problem

    def test_that_exceeds_the_ceiling_together_with_those_before_it_is_refused(
        self, house: House, batching: Batching, write: Write
    ) -> None:
        """£1,000,000 is enough for two of £496,100. The first is committed already, and counts only once."""
        house.apply(order("a-one", seats=62_000))
        for name in ("a-one", "a-three", "a-two"):
            folder = write(name, seats=62_000)
        batch = batching.plan(folder)
        assert [(one.file.name, one.kind) for one in batch.refused] == [("a-two.yml", Kind.NOT_COVERED)]
        assert "£1,488,300.00 with this order and those before it" in problems(batch)[0]
        assert len(batching.open_runs(batch, house.provisioning)[0]) == 1

    def test_whose_agency_has_an_open_run_is_refused(self, house: House, batching: Batching, write: Write) -> None:
        house.provisioning.open_run(house.planning.plan(order("a-one")).id)
        write("a-one")
        batch = batching.without_those_in_the_way(batching.plan(write("a-two")))
        assert [one.kind for one in batch.refused] == [Kind.CONFLICT]
        assert "a-one.yml:3: agency: run 1 of a-one is queued" in problems(batch)[0]

    def test_that_has_become_stale_is_refused_alone(self, house: House, batching: Batching, write: Write) -> None:
        write("a-one")
        batch = batching.plan(write("a-two"))
        house.apply(order("a-one", alpha={}, beta={}))
        runs, refused = batching.open_runs(batch, house.provisioning)
        assert [run.agency for run in runs.values()] == ["a-two"]
        assert [(one.file.name, one.kind) for one in refused] == [("a-one.yml", Kind.CONFLICT)]
