"""One reading: a probe and its result, with a second attempt after a failure."""

import logging
import os
import time
import traceback
from collections.abc import Awaitable, Callable

from orchestrator.adapters.probes.answers import OURS, Ask, CannotProbe, ProbeFailed
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.probing.readings import ProbeTarget, Reading, believe
from orchestrator.domain.selling.catalog import ProbeKind
from orchestrator.domain.service_levels.record import State
from orchestrator.ports.outside import Clock
from orchestrator.ports.probing import Prepared

log = logging.getLogger(__name__)

LONGEST = {ProbeKind.SSH: 15.0, ProbeKind.RT: 30.0}
"""Timeouts, in seconds, of kinds with several steps."""
USUALLY = 5.0
MOST_DETAIL = 200

Prepare = Callable[[ProbeTarget], Awaitable[Prepared]]


def patience(target: ProbeTarget) -> float:
    """The timeout of an attempt, in seconds: two attempts end before the next reading is due."""
    return min(LONGEST.get(target.kind, USUALLY), target.every.total_seconds() / 2)


async def read(target: ProbeTarget, ask: Ask, prepare: Prepare, clock: Clock) -> Reading:
    """The result of a probe. After a failure it is retried once, at once, with what it needs looked up again."""
    first = await _attempt(target, ask, prepare, clock)
    return believe(first, await _attempt(target, ask, prepare, clock)) if first.state is State.DOWN else first


async def _attempt(target: ProbeTarget, ask: Ask, prepare: Prepare, clock: Clock) -> Reading:
    at, began = clock.now(), time.monotonic()
    state, detail = await _outcome(target, ask, prepare)
    return Reading(at, state, " ".join(detail.split())[:MOST_DETAIL], time.monotonic() - began)


async def _outcome(target: ProbeTarget, ask: Ask, prepare: Prepare) -> tuple[State, str]:
    limit = patience(target)
    try:
        return State.UP, await ask(await prepare(target), limit)
    except ProbeFailed as failure:
        return State.DOWN, str(failure)
    except CannotProbe as reason:
        return State.UNKNOWN, str(reason)
    except OrchestratorError as error:
        return State.UNKNOWN, error.message
    except TimeoutError:
        return State.DOWN, f"no answer within {limit:g} s"
    except OSError as error:
        return State.UNKNOWN if error.errno in OURS else State.DOWN, _reason(error)
    except Exception as error:
        # Our own bug says nothing about the service. Its text is not reported: it may contain secrets of the probe.
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("the probe %s broke: %s at %s:%s", target.each, type(error).__name__, place.filename, place.lineno)  # noqa: TRY400
        return State.UNKNOWN, "the probe itself broke; see the log"


def _reason(error: OSError) -> str:
    """The system's message, where asyncio and ssl have their own."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
