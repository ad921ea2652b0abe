"""Failures specific to PostgreSQL: sessions that end, servers that restart, writers that fall silent."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.store import SqlStore
from orchestrator.domain.errors import Kind, OrchestratorError
from tests.databases import PostgresDatabases
from tests.postgres import Postgres


@pytest.fixture
def url(postgres_databases: PostgresDatabases, tmp_path: Path) -> str:
    return postgres_databases.current(tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = connect(url, busy_milliseconds=500)
    yield engine
    engine.dispose()


def unavailable(caught: "pytest.ExceptionInfo[OrchestratorError]") -> str:
    assert caught.value.kind is Kind.UNAVAILABLE
    return caught.value.message


class TestAWriter:
    def test_that_falls_silent_is_disconnected_and_gets_an_error(self, engine: sa.Engine, url: str) -> None:
        store, other = SqlStore(engine), SqlStore(connect(url))
        with pytest.raises(OrchestratorError) as caught, store.begin() as silent:
            silent.runs.newest()
            start = time.monotonic()
            with other.begin() as tx:
                tx.runs.newest()
            assert time.monotonic() - start < 10
            silent.runs.newest()
        unavailable(caught)
        with store.begin() as tx:
            assert tx.runs.newest() == [], "and is welcome again"

    def test_that_waits_too_long_for_another_gives_up(self, engine: sa.Engine) -> None:
        store = SqlStore(engine)
        with store.begin() as first:
            first.runs.newest()
            with pytest.raises(OrchestratorError) as caught, store.begin() as second:
                second.runs.newest()
        assert "lock timeout" in unavailable(caught)
        assert caught.value.hint == "another command holds it; try again shortly"

    def test_whose_session_is_ended_gets_an_error(self, engine: sa.Engine) -> None:
        store = SqlStore(engine)
        with pytest.raises(OrchestratorError) as caught, store.begin() as tx:
            mine = tx.session.execute(sa.text("select pg_backend_pid()")).scalar_one()
            with engine.begin() as other:
                other.execute(sa.text("select pg_terminate_backend(:pid)"), {"pid": mine})
            time.sleep(0.2)
            tx.runs.newest()
        unavailable(caught)

    def test_that_finds_every_connection_in_use_may_try_again(self, url: str) -> None:
        engine = connect(url)
        engine.pool._timeout, engine.pool._max_overflow = 0.2, 0  # type: ignore[attr-defined]
        held = [engine.connect() for _ in range(5)]
        with pytest.raises(OrchestratorError) as caught, SqlStore(engine).read():
            SqlStore(engine).read().__enter__().runs.newest()
        unavailable(caught)
        for connection in held:
            connection.close()
        engine.dispose()


class TestAServer:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["in good order", "as in a crash"])
    def test_that_restarts_is_used_again(self, postgres: Postgres, engine: sa.Engine, how: signal.Signals) -> None:
        store = SqlStore(engine)
        with store.begin() as tx:
            tx.workers.join("w", host="h", runs=4)
        postgres.stop(how)
        try:
            with pytest.raises(OrchestratorError) as caught, store.begin() as tx:
                tx.workers.beat("w")
        finally:
            postgres.start()
        assert "the database did not answer" in unavailable(caught)
        with store.begin() as tx:
            assert tx.workers.beat("w")


class TestAReader:
    def test_sees_the_records_of_one_instant(self, engine: sa.Engine) -> None:
        store = SqlStore(engine)
        with store.read() as reading:
            assert reading.workers.unburied() == set()
            with store.begin() as tx:
                tx.workers.join("w", host="h", runs=4)
            assert reading.workers.unburied() == set()
        with store.read() as reading:
            assert reading.workers.unburied() == {"w"}

    def test_may_not_write(self, engine: sa.Engine) -> None:
        with pytest.raises(sa.exc.DBAPIError, match="read-only"), SqlStore(engine).read() as reading:
            reading.workers.leave("w")


class TestAUrl:
    def test_may_name_a_socket_and_a_timeout(self, postgres: Postgres, url: str) -> None:
        name = url.rsplit("/", 1)[1]
        socket = f"postgresql:///{name}?host={postgres.folder}&port={postgres.port}&user=postgres&connect_timeout=7"
        engine = connect(socket)
        assert engine.url.query["connect_timeout"] == "7"
        with engine.connect() as connection:
            assert connection.execute(sa.text("select current_database()")).scalar_one() == name
        engine.dispose()
