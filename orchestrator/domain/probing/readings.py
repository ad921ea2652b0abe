"""Probing: from the readings of single probes to when a service was up, down or unknown."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from orchestrator.domain.calendars.local_time import SECOND
from orchestrator.domain.calendars.spans import EPOCH
from orchestrator.domain.selling.catalog import ProbeKind
from orchestrator.domain.service_levels.record import State

PATIENCE = 2
"""Intervals without a reading after which the state is unknown."""


class ProbeKey(NamedTuple):
    """The key of one timeline."""

    agency: str
    component: str
    probe: str


class Reading(NamedTuple):
    """What a probe that started at an instant found, and how many seconds it took."""

    at: datetime
    state: State
    detail: str
    seconds: float = 0.0


class StateChange(NamedTuple):
    """The state from `at` on, and why."""

    at: datetime
    state: State
    detail: str


class Standing(NamedTuple):
    """The current state of a probe, since when, and the instant of its last reading, if any."""

    state: State
    since: datetime
    detail: str
    read_at: datetime | None = None


class ProbeTarget(NamedTuple):
    """A probe of a live service. `address` is its target in the format of the probe's kind; it is empty if the probe
    cannot run, and `refusal` says why. A service with several hosts of its own is probed on each `host`; their readings
    combine into one, which is up if `enough` of them are."""

    key: ProbeKey
    kind: ProbeKind
    site: str
    address: str
    every: timedelta
    version: datetime
    """When its service last changed. What was prepared for an earlier version is void."""
    refusal: str | None = None
    host: str | None = None
    hosts: int = 1
    enough: int = 1

    @property
    def each(self) -> ProbeKey:
        """The key of a single host's readings."""
        return self.key if self.host is None else self.key._replace(probe=f"{self.key.probe}@{self.host}")


def together(latest: Mapping[str, Reading], target: ProbeTarget) -> Reading | None:
    """Combine the latest readings of a service's hosts, at the instant of the last; None until each has been read.

    It is up when enough hosts are up, and down when too few can be.
    """
    if len(latest) < target.hosts:
        return None
    last = max(latest.values(), key=lambda reading: reading.at)
    up, down = (sum(r.state is state for r in latest.values()) for state in (State.UP, State.DOWN))
    state = State.DOWN if target.hosts - down < target.enough else State.UP if up >= target.enough else State.UNKNOWN
    rest = [f"{host}: {reading.detail}" for host, reading in sorted(latest.items()) if reading.state is not State.UP]
    detail = (
        f"{up} of {target.hosts} hosts are up, {target.enough} are enough; {'; '.join(rest)}" if rest else last.detail
    )
    return last._replace(state=state, detail=detail)


def believe(first: Reading, again: Reading) -> Reading:
    """A failed attempt and the retry right after it, as one reading. If both fail, it failed at the first attempt; if
    the retry could not be made, the state is unknown from then on."""
    if again.state is State.UP:
        return again
    return again._replace(at=first.at, seconds=first.seconds + again.seconds)


def heard(standing: Standing | None, reading: Reading, every: timedelta) -> tuple[Standing, tuple[StateChange, ...]]:
    """The standing after a reading, and the transitions that it causes. Readings of a probe come in order; one from
    before the last, because a clock was set back, counts as a second after it."""
    changes: tuple[StateChange, ...] = ()
    if standing is not None:
        earliest = standing.since + SECOND
        reading = reading._replace(at=max(reading.at, earliest, standing.read_at or earliest))
        standing, changes = silent(standing, every, now=reading.at)
        if changes:  # the gap begins and ends within this call: its end is at least one interval after its start
            reading = reading._replace(at=max(reading.at, changes[-1].at + SECOND))
    if standing is not None and standing.state is reading.state:
        return standing._replace(read_at=reading.at, detail=reading.detail), changes
    standing = Standing(reading.state, reading.at, reading.detail, read_at=reading.at)
    return standing, (*changes, StateChange(reading.at, reading.state, reading.detail))


def silent(standing: Standing, every: timedelta, *, now: datetime) -> tuple[Standing, tuple[StateChange, ...]]:
    """The standing without a reading: after two intervals it is unknown, as of one interval after the last reading."""
    last = standing.read_at
    if standing.state is State.UNKNOWN or last is None or now - last <= PATIENCE * every:
        return standing, ()
    ended = ending(standing, last + every, "it has not been probed since")
    return ended, (StateChange(ended.since, ended.state, ended.detail),)


def ending(standing: Standing, at: datetime, why: str) -> Standing:
    """Unknown from an instant on, but at least a second after the current state began."""
    return Standing(State.UNKNOWN, max(at, standing.since + SECOND), why, read_at=standing.read_at)


def as_of(key: ProbeKey, standing: Standing, every: timedelta, *, read_until: datetime, now: datetime) -> Standing:
    """The standing now, by records without single readings, which only show until when everything due was read."""
    if standing.state is State.UNKNOWN or now - read_until <= every:
        return standing
    read_at = max(last_slot(key, every, read_until), standing.since)
    now_in_force, changes = silent(standing._replace(read_at=read_at), every, now=now)
    return now_in_force if changes else standing


def worst(states: Iterable[State]) -> State:
    """A service's state by its probes: down if any is down; up only if there are any and all are up."""
    found = set(states)
    if State.DOWN in found:
        return State.DOWN
    return State.UP if found == {State.UP} else State.UNKNOWN


def slot_after(key: ProbeKey, every: timedelta, instant: datetime) -> datetime:
    """The first instant after another at which a probe is due. Due times are an interval apart; their offset, derived
    from the probe's name, spreads probes evenly. It is the same in every process, so that another can continue where
    the last one stopped."""
    mark = int.from_bytes(hashlib.blake2b("/".join(key).encode(), digest_size=8).digest(), "big")
    first = EPOCH + every * (mark / 2**64)
    return first + ((instant - first) // every + 1) * every


def last_slot(key: ProbeKey, every: timedelta, instant: datetime) -> datetime:
    """The last instant at or before another at which a probe was due."""
    return slot_after(key, every, instant) - every
