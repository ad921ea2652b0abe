"""One reading of each target, all at once."""

import asyncio
from collections.abc import Callable, Sequence

from orchestrator.adapters.probes.asking import probes
from orchestrator.adapters.probes.reading import read
from orchestrator.domain.probing.readings import ProbeTarget, Reading
from orchestrator.ports.outside import Clock
from orchestrator.ports.probing import Prepared


def read_once(
    prepare: Callable[[ProbeTarget], Prepared], targets: Sequence[ProbeTarget], clock: Clock
) -> list[tuple[ProbeTarget, Reading]]:
    """Each target with its reading, in the order given."""

    async def prepared(target: ProbeTarget) -> Prepared:
        return await asyncio.to_thread(prepare, target)

    async def read_all() -> list[Reading]:
        async with probes() as asks:
            return await asyncio.gather(*(read(t, asks[t.kind], prepared, clock) for t in targets))

    return list(zip(targets, asyncio.run(read_all()), strict=True))
