"""Probe one service once, as the pool would."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.probes.asking import probes
from orchestrator.adapters.probes.reading import read
from orchestrator.domain.probing.readings import ProbeKey, ProbeTarget, Reading
from orchestrator.domain.selling.catalog import ProbeKind
from orchestrator.ports.probing import Person, Prepared
from tests.adapters.probes.servers import Authority

Probe = Callable[..., list[Reading]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Servers must be started, and waited for when they do not answer."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


def target(kind: str, address: str, *, every: float = 4.0, agency: str = "a1") -> ProbeTarget:
    key, changed = ProbeKey(agency, "network", kind), datetime(2026, 11, 25, tzinfo=UTC)
    return ProbeTarget(key, ProbeKind(kind), "here", address, timedelta(seconds=every), changed)


@pytest.fixture
def probe() -> Probe:
    """Readings of a target in sequence, with kept connections."""

    def readings(
        kind: str,
        address: str,
        *,
        person: Person | None = None,
        trust: str | None = None,
        times: int = 1,
        between: Callable[[], object] = lambda: None,
    ) -> list[Reading]:
        prepared = Prepared(target(kind, address), person=person, trust=trust)

        async def prepare(_: ProbeTarget) -> Prepared:
            return prepared

        async def ask() -> list[Reading]:
            found = []
            async with probes() as asks:
                for n in range(times):
                    found.append(await read(prepared.target, asks[prepared.target.kind], prepare, SystemClock()))
                    if n + 1 < times:
                        await asyncio.to_thread(between)
            return found

        return asyncio.run(ask())

    return readings


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def other_authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "other"
    folder.mkdir()
    return Authority(folder)
