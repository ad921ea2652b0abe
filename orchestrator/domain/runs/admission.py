"""Admission: which queued runs may start now, within the limits, and what the others wait for."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.domain.runs.waits import ForPlace, ForRun, ForWorker, Wait
from orchestrator.domain.value import Value


class Limits(Value):
    """How many runs may be admitted at the same time: in total, at one site, and on one host."""

    runs: int
    site: int
    host: int


class Place(NamedTuple):
    """What admission needs to know about a run: its agency, and the hosts that its steps touch."""

    run: int
    agency: str
    site: str
    hosts: tuple[str, ...]


def admissible(queue: Sequence[Place], active: Sequence[Place], limits: Limits) -> tuple[Place, ...]:
    """The queued runs that may start now, in queue order."""
    return tuple(place for place, obstacle in review(queue, active, limits) if obstacle is None)


def review(queue: Sequence[Place], active: Sequence[Place], limits: Limits) -> Iterator[tuple[Place, Wait | None]]:
    """Each queued run with what it waits for, or None if it may start.

    A waiting run keeps its place on every host that it needs: later runs cannot overtake it there. So a run that needs
    many hosts gets them eventually. Runs that share no host with it may overtake it.
    """
    held = _Held()
    for place in active:
        held.claim(place)
        held.start(place)
    for place in queue:
        obstacle = held.obstacle(place, limits)
        held.claim(place)
        if obstacle is None:
            held.start(place)
        yield place, obstacle


class _Held:
    """What is in use: slots of admitted runs, and hosts of these and of runs that wait for them."""

    def __init__(self) -> None:
        self._runs = 0
        self._at_site: dict[str, int] = {}
        self._on_host: dict[tuple[str, str], list[Place]] = {}

    def start(self, place: Place) -> None:
        self._runs += 1
        self._at_site[place.site] = self._at_site.get(place.site, 0) + 1

    def claim(self, place: Place) -> None:
        for host in place.hosts:
            self._on_host.setdefault((place.site, host), []).append(place)

    def obstacle(self, place: Place, limits: Limits) -> Wait | None:
        if self._runs >= limits.runs:
            return ForPlace(places=limits.runs) if limits.runs else ForWorker()
        if self._at_site.get(place.site, 0) >= limits.site:
            return ForPlace(places=limits.site, site=place.site)
        for host in place.hosts:
            claims = self._on_host.get((place.site, host), [])
            if len(claims) >= limits.host:
                first = claims[0]
                return ForRun(run=first.run, agency=first.agency, host=host)
        return None
