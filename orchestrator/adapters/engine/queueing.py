"""The interface to DBOS. Everything that uses its internals is here; its version is pinned."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient
from dbos._serialization import DBOSPortableJSON, DefaultSerializer

from orchestrator.domain.errors import Kind, OrchestratorError

APPLICATION = "orchestrator"
VERSION = "1"
"""Increased deliberately when newer code cannot continue runs in progress. DBOS's default, a hash of the source, would
strand them at every release."""

QUEUE = "runs"
WORKFLOW = "drive_run"
FORGOTTEN_AT_ONCE = 1_000
MAX_RECOVERIES = 1_000_000
"""People give up on a run, not a counter."""


def _refuse(*_: Any) -> Any:
    raise ValueError("this queue entry is a pickle, which could execute anything when opened, and is not ours")


# Each entry names its own format, and DBOS opens pickles even where it writes JSON.
DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign, assignment]


def workflow_id(run: int, attempt: int) -> str:
    return f"run-{run}-{attempt}"


class Submitter:
    """Hands runs to the queue inside a caller's transaction, without starting an engine."""

    def __init__(self, url: str) -> None:
        self._client = DBOSClient(system_database_url=url, application_name=APPLICATION, serializer=DBOSPortableJSON)

    def enqueue(self, session: Any, run: int, attempt: int) -> None:
        options: Any = {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": workflow_id(run, attempt),
            "app_version": VERSION,
        }
        self._client.enqueue_in_transaction(session, options, run, attempt)

    def close(self) -> None:
        self._client.destroy()


def migrate(url: str) -> None:
    """Create or upgrade the queue's own tables."""
    with _answering():
        DBOS.migrate(url)


def launch(url: str, *, worker: str, drive: Callable[[int, int], None], runs: int, poll_seconds: float) -> None:
    """Start taking runs from the queue. There is one engine per process."""
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": url,
            "executor_id": worker,
            "application_version": VERSION,
            "log_level": "ERROR",
            "serializer": DBOSPortableJSON,
            "max_executor_threads": runs + 4,
        }
    )

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MAX_RECOVERIES)
    def _drive_run(run: int, attempt: int) -> None:
        drive(run, attempt)

    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=runs, polling_interval_sec=poll_seconds)


def stop() -> None:
    DBOS.destroy()


def holders() -> set[str]:
    """The executors that hold unfinished runs of this version."""
    with _answering():
        pending = DBOS.list_workflows(status="PENDING", app_version=VERSION, load_input=False, load_output=False)
    return {w.executor_id for w in pending if w.executor_id}


def requeue_runs_of(executors: set[str]) -> None:
    """Give the unfinished runs of dead executors to live ones. Compare-and-set: any number of workers may call it."""
    with _answering():
        DBOS._recover_pending_workflows(sorted(executors))


def forget_finished(before: datetime) -> None:
    """Delete the queue's entries of runs that ended before an instant. Our own tables keep their record."""
    with _answering():
        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            load_input=False,
            load_output=False,
            limit=FORGOTTEN_AT_ONCE,
        )
        if ended:
            DBOS.delete_workflows([w.workflow_id for w in ended])


@contextmanager
def _answering() -> Iterator[None]:
    """Raise UNAVAILABLE when the queue does not answer, so that it is asked again."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        raise OrchestratorError(Kind.UNAVAILABLE, f"the queue did not answer: {error}") from error


def url_for(engine: sa.Engine) -> str:
    return engine.url.render_as_string(hide_password=False)
