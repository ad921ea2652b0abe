"""Entries in the queue's table are data, never code: write access there must not allow running code here."""

import os
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOSClient

from orchestrator.adapters.engine.queueing import APPLICATION, QUEUE, VERSION, WORKFLOW, url_for
from tests.adapters.engine.conftest import Engine
from tests.entrypoints.cli.conftest import eventually

pytestmark = [pytest.mark.attack, pytest.mark.slow]


class Opened:
    """Creates a folder when its pickle is opened."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._proof),)


def test_a_pickle_is_refused_and_later_runs_continue(engine: Engine, tmp_path: Path) -> None:
    queue = DBOSClient(system_database_url=url_for(engine.app.base.database), application_name=APPLICATION)
    engine.start()
    options: Any = {"workflow_name": WORKFLOW, "queue_name": QUEUE, "workflow_id": "planted", "app_version": VERSION}
    queue.enqueue(options, Opened(tmp_path / "proof"), 1)
    eventually(
        lambda: [w.status for w in queue.list_workflows(workflow_ids=["planted"], load_input=False)] == ["ERROR"]
    )
    engine.check_succeeded(engine.apply(engine.order()))
    assert not (tmp_path / "proof").exists()
    queue.destroy()
