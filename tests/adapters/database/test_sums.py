"""Sums beside rows equal those over all rows after any operations; a migration makes them so."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from orchestrator.adapters.database import migrating
from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.migrating import upgrade
from orchestrator.adapters.database.store import SqlStore
from orchestrator.domain.estate.allocation import Allocation
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.ports.store import Store
from tests.adapters.database.test_store_contract import store
from tests.domain.conftest import call_off

__all__ = ["store"]

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ORDER = call_off({"network": {"tier": "standard"}})
AGENCIES = tuple(f"a{n}" for n in range(6))
FRAMEWORKS = ("flex", "trial")


def record(order: CallOff, agency: str, chance: random.Random) -> AgencyRecord:
    return AgencyRecord(
        id=agency,
        name=agency,
        framework=chance.choice(FRAMEWORKS),
        site="here",
        call_off=order,
        committed=Decimal(chance.randrange(100_000)) / 100,
        created_at=NOW,
        offboarded_at=chance.choice((None, None, NOW)),
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_commitment_is_the_sum_over_agencies_in_service(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        with store.begin() as tx:
            tx.agencies.put(record(ORDER, chance.choice(AGENCIES), chance))
        with store.read() as tx:
            known = [a for a in tx.agencies.all() if a.offboarded_at is None]
            for framework in FRAMEWORKS:
                for without in (AGENCIES[0], "nobody"):
                    counted = sum(a.committed for a in known if a.framework == framework and a.id != without)
                    assert tx.agencies.committed(framework, without=without) == counted


@pytest.mark.parametrize("seed", range(3))
def test_the_first_gap_is_the_lowest_position_that_nobody_holds(store: Store, seed: int) -> None:
    """Blocks are taken at the gap or elsewhere, released by name, given up, and deleted."""
    chance, held = random.Random(seed), dict[str, tuple[int, bool, datetime]]()
    for turn in range(60):
        now = NOW + timedelta(hours=turn)
        with store.begin() as tx:
            agency = chance.choice(AGENCIES)
            match chance.randrange(6):
                case 0:
                    tx.allocations.release(agency, ["subnet"])
                    held.pop(agency, None)
                case 1:
                    tx.allocations.give_up(agency, ["subnet"])
                    if agency in held and not held[agency][1]:
                        del held[agency]
                case 2:
                    tx.allocations.forget_reserved(before=now - timedelta(hours=10))
                    held = {a: h for a, h in held.items() if h[1] or h[2] >= now - timedelta(hours=10)}
                case 3:
                    tx.allocations.hold(agency)
                    held |= {agency: (held[agency][0], True, held[agency][2])} if agency in held else {}
                case _ if agency not in held:
                    free = sorted(set(range(12)) - {position for position, _, _ in held.values()})
                    position = chance.choice((free[0], chance.choice(free)))
                    block = Allocation(site="here", pool="p", block=str(position), agency=agency, name="subnet")
                    tx.allocations.add(block, at=now, position=position)
                    held[agency] = (position, False, now)
        taken = {position for position, _, _ in held.values()}
        with store.read() as tx:
            assert tx.allocations.first_gap("here", "p") == next(p for p in range(99) if p not in taken)


def test_an_upgrade_counts_existing_rows(empty_url: str) -> None:
    engine = connect(empty_url, create=True)
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        for agency, pence, left in (("a1", 100, None), ("a2", 23, None), ("a3", 7, NOW)):
            row = {"id": agency, "pence": pence, "now": NOW, "left": left, "order": json.dumps(ORDER.document())}
            columns = "id, name, framework, site, call_off, committed_pence, created_at, offboarded_at"
            values = ":id, :id, 'flex', 'here', :order, :pence, :now, :left"
            connection.execute(sa.text(f"insert into agency ({columns}) values ({values})"), row)
        for position in (0, 1, 4, 6):
            columns, values = (
                "site, pool, block, agency, name, holding, at, position",
                "'here', 'p', :b, :b, 'n', 'held'",
            )
            row = {"b": str(position), "now": NOW, "position": position}
            connection.execute(sa.text(f"insert into allocation ({columns}) values ({values}, :now, :position)"), row)
    assert upgrade(engine) == ("0008", migrating.HEAD)
    with SqlStore(engine).begin() as tx:
        assert tx.agencies.committed("flex", without="a2") == Decimal("1.00")
        gaps = []
        for n in range(4):
            gaps.append(gap := tx.allocations.first_gap("here", "p"))
            assert gap is not None
            block = Allocation(site="here", pool="p", block=f"n{n}", agency=f"b{n}", name="n")
            tx.allocations.add(block, at=NOW, position=gap)
    assert gaps == [2, 3, 5, 7]
    engine.dispose()
