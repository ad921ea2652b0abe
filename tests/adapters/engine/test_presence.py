"""Which workers of a machine have ended, by the locks they held."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from orchestrator.adapters.engine import presence
from orchestrator.adapters.engine.presence import Presence
from tests.entrypoints.cli.conftest import eventually


def _hold(folder: Path, pipe: object) -> None:
    Presence(folder).hold("other")
    pipe.send("held")  # type: ignore[attr-defined]
    signal.pause()


def test_a_worker_counts_as_ended_however_its_process_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = multiprocessing.get_context("spawn").Pipe()
    other = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path, there))
    other.start()
    assert here.recv() == "held"
    ours = Presence(tmp_path)
    ours.hold("ours")
    everybody = {"ours", "other", "of another machine"}
    assert ours.gone(everybody) == set()
    assert other.pid
    os.kill(other.pid, signal.SIGSTOP)
    assert ours.gone(everybody) == set(), "a stopped process has not ended"
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    assert ours.gone(everybody) == {"other"}
    assert ours.ended(everybody) == set(), "its guards may still be at work"
    monkeypatch.setattr(presence, "ENDED_SECONDS", 0.05)
    eventually(lambda: ours.ended(everybody) == {"other"})
    ours.forget("other")
    assert ours.gone(everybody) == set()
    ours.leave("ours")
    assert list(tmp_path.iterdir()) == []


def test_a_worker_wrongly_taken_for_ended_gets_its_full_time_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "ENDED_SECONDS", 0.0)
    (tmp_path / "one").touch()
    ours, one = Presence(tmp_path), Presence(tmp_path)
    assert ours.ended({"one"}) == {"one"}
    one.hold("one")
    assert ours.ended({"one"}) == set()
    monkeypatch.setattr(presence, "ENDED_SECONDS", 60.0)
    one.leave("one")
    (tmp_path / "one").touch()
    assert ours.ended({"one"}) == set()
