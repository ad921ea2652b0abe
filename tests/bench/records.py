"""A database with any number of agencies that were served, backed up and drilled, without having done any of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestrator.adapters.bank_holidays import is_bank_holiday
from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.counting import Counted, of_run, of_step, recount
from orchestrator.adapters.database.migrating import upgrade
from orchestrator.adapters.database.store import SqlStore
from orchestrator.adapters.database.tables import (
    AgencyRow,
    DrillRow,
    InstanceRow,
    NewestBackupRow,
    PlanRow,
    ProberRow,
    RunRow,
    ServicePeriodRow,
    StepRow,
    TransitionRow,
)
from orchestrator.domain.runs.admission import Limits
from orchestrator.usecases.observing import Observing
from orchestrator.usecases.runs.admitting import Admitting
from orchestrator.usecases.service_levels.contracts import Contracts
from orchestrator.usecases.service_levels.metering import Metering
from tests.adapters.exposition.snapshots import COMPONENTS
from tests.conftest import ROOT

BACKUPS = 14
"""An agency has had: a week of them, twice a day."""
KEPT = ("network", "service-desk", "desktop")
"""What is backed up and drilled."""
ONBOARDING = ("precheck", "provision", "verify")
STEPS_AN_AGENCY = len(COMPONENTS) * len(ONBOARDING) + BACKUPS * len(KEPT)
BEGAN = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
SERVED_FROM = datetime(2026, 10, 1, 0, 0, tzinfo=UTC)
OUTAGES = 10
"""Of each service, three days apart."""
BATCH = 20_000
ENDED = {"state": "succeeded", "priority": "change", "due_at": BEGAN, "on_failure": "keep", "hosts": [], "attempt": 1,
         "cancel_requested": False, "created_at": BEGAN, "started_at": BEGAN, "finished_at": BEGAN}  # fmt: skip


@contextmanager
def filled(folder: Path, *, agencies: int) -> Iterator[Observing]:
    """What reads a new SQLite database with so many agencies in it."""
    engine = connect(f"sqlite:///{folder / 'records.db'}", create=True)
    upgrade(engine)
    with engine.begin() as connection:
        for table, rows in (
            (AgencyRow, (_agency(n) for n in range(agencies))),
            (InstanceRow, (_instance(n, c) for n in range(agencies) for c in COMPONENTS)),
            (PlanRow, (_plan(n) for n in range(agencies))),
            (RunRow, (_run(n, number) for n in range(agencies) for number in range(BACKUPS + 1))),
            (StepRow, (step for n in range(agencies) for step in _steps(n))),
            (DrillRow, (_drill(n, c, number) for n in range(agencies) for c in KEPT for number in range(3))),
            (ServicePeriodRow, (_period(n, c) for n in range(agencies) for c in COMPONENTS)),
            (NewestBackupRow, (_newest(n, c) for n in range(agencies) for c in KEPT)),
            (TransitionRow, (change for n in range(agencies) for c in COMPONENTS for change in _changes(n, c))),
        ):
            while part := list(islice(rows, BATCH)):
                connection.execute(sa.insert(table.__table__), part)  # type: ignore[attr-defined]
        connection.execute(sa.update(ProberRow.__table__).values(read_until=datetime.now(UTC)))  # type: ignore[attr-defined]
    source = CatalogFiles(
        catalog_dir=ROOT / "catalog", inventories_dir=ROOT / "inventories", playbooks_dir=ROOT / "playbooks"
    )
    store = SqlStore(engine)
    with store.begin() as tx:
        recount(tx.session, _counted(agencies))
    admitting = Admitting(store=store, limits=Limits(runs=4, site=3, host=2), lease=timedelta(seconds=8))
    metering = Metering(Contracts(source, is_bank_holiday, holidays="2026"))
    yield Observing(source=source, store=store, clock=SystemClock(), admitting=admitting, metering=metering)
    engine.dispose()


def _agency(n: int) -> dict[str, Any]:
    return {"id": f"agency-{n}", "name": f"Agency {n}", "framework": "flex", "site": f"site-{n % 3}",
            "call_off": _call_off(n), "committed_pence": 4_800_000, "created_at": BEGAN}  # fmt: skip


def _call_off(n: int) -> dict[str, Any]:
    contact = {"role": "manager", "name": "M", "email": "m@a.example"}
    agency = {"id": f"agency-{n}", "name": f"Agency {n}", "class": "agency", "seats": 10, "contacts": [contact]}
    return {"framework": "flex", "agency": agency, "site": f"site-{n % 3}", "services": {},
            "term": {"start": "2026-10-01", "months": 48}}  # fmt: skip


def _period(n: int, component: str) -> dict[str, Any]:
    return {"agency": f"agency-{n}", "component": component, "began_at": SERVED_FROM}


def _changes(n: int, component: str) -> Iterator[dict[str, Any]]:
    """Up, but for an outage of some minutes in each of some days."""
    probe = {"agency": f"agency-{n}", "component": component, "probe": "tcp", "detail": ""}
    yield {**probe, "at": SERVED_FROM, "state": "up"}
    for outage in range(OUTAGES):
        began_at = SERVED_FROM + timedelta(days=1 + 3 * outage, minutes=n % 1440)
        yield {**probe, "at": began_at, "state": "down"}
        yield {**probe, "at": began_at + timedelta(minutes=1 + n % 17), "state": "up"}


def _instance(n: int, component: str) -> dict[str, Any]:
    return {"agency": f"agency-{n}", "component": component, "tier": "standard", "quantity": 1, "parameters": {},
            "hosts": {}, "state": "in_service", "changed_at": BEGAN}  # fmt: skip


def _plan(n: int) -> dict[str, Any]:
    return {"id": n + 1, "agency": f"agency-{n}", "digest": "0", "body": {}, "created_at": BEGAN}


def _run(n: int, number: int) -> dict[str, Any]:
    """The first is the onboarding, the others are backups."""
    return {**ENDED, "id": n * (BACKUPS + 1) + number + 1, "agency": f"agency-{n}", "site": f"site-{n % 3}",
            "purpose": "backup" if number else "onboard", "plan": n + 1, "seconds": 30.0 + n % 90}  # fmt: skip


def _steps(n: int) -> Iterator[dict[str, Any]]:
    first = n * (BACKUPS + 1) + 1
    for component in COMPONENTS:
        for verb in ONBOARDING:
            yield _step(first, component, verb, BEGAN)
    for number in range(1, BACKUPS + 1):
        for component in KEPT:
            yield _step(first + number, component, "backup", BEGAN + timedelta(hours=12 * number))


def _step(run: int, component: str, verb: str, at: datetime) -> dict[str, Any]:
    return {"run": run, "id": f"{component}.{verb}", "position": 1, "component": component, "verb": verb,
            "placement": {}, "needs": [], "because": "", "always": False, "state": "succeeded", "attempt": 1,
            "tries": 1, "started_at": at, "finished_at": at, "seconds": 0.7 + run % 50, "ok": 1, "changed": 0,
            "failed": 0, "unreachable": 0}  # fmt: skip


def _newest(n: int, component: str) -> dict[str, Any]:
    return {"agency": f"agency-{n}", "component": component, "started_at": BEGAN + timedelta(hours=12 * BACKUPS)}


def _counted(agencies: int) -> Counter[Counted]:
    """What whoever wrote all runs and steps would have counted."""
    runs = (RunRow(**_run(n, number)) for n in range(agencies) for number in range(BACKUPS + 1))
    steps = (StepRow(**step) for n in range(agencies) for step in _steps(n))
    return Counter(chain(chain.from_iterable(map(of_run, runs)), chain.from_iterable(map(of_step, steps))))


def _drill(n: int, component: str, number: int) -> dict[str, Any]:
    """One that failed, one that passed, and one that is to come."""
    key = f"{n}-{component}-{number}"
    verdict = ("fail", "pass", None)[number]
    return {"key": key, "agency": f"agency-{n}", "component": component, "site": f"site-{n % 3}", "moment": "random",
            "state": "reported" if verdict else "approved", "scheduled_at": BEGAN + timedelta(days=90 * number),
            "requested_by": "calendar", "created_at": BEGAN, "finished_at": BEGAN if verdict else None,
            "verdict": verdict, "rto_seconds": 15.8 + n if verdict else None,
            "rpo_seconds": 900.0 if verdict else None}  # fmt: skip
