"""The schema, from an empty database to one newer than ours, on both databases."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from orchestrator.adapters.database import migrating
from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.migrating import HEAD, current_revision, require_current, upgrade
from orchestrator.adapters.database.store import SqlStore
from orchestrator.adapters.database.tables import metadata
from orchestrator.adapters.engine import queueing
from orchestrator.domain.charging.charges import committed
from orchestrator.domain.errors import Kind, OrchestratorError
from tests.domain.conftest import call_off
from tests.entrypoints.cli.conftest import InProcess


@pytest.fixture
def engine(empty_url: str) -> Iterator[sa.Engine]:
    engine = connect(empty_url, create=True)
    yield engine
    engine.dispose()


def pretend(engine: sa.Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("update alembic_version set version_num = :revision"), {"revision": revision})


class TestASchema:
    def test_is_the_one_the_migrations_make(self, engine: sa.Engine, empty_url: str) -> None:
        assert upgrade(engine) == (None, HEAD)
        queueing.migrate(empty_url)
        config = Config()
        config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.check(config)  # raises when a migration is missing, and must not propose to drop the queue's tables
        assert current_revision(engine) == HEAD
        assert upgrade(engine) == (HEAD, HEAD)

    def test_has_the_newest_revision_as_its_head(self, root: Path) -> None:
        folder = root / "orchestrator/adapters/database/migrations/versions"
        assert max(p.name.split("_")[0] for p in folder.glob("*.py")) == HEAD

    def test_that_is_older_asks_for_an_upgrade(self) -> None:
        with pytest.raises(OrchestratorError) as refused:
            require_current("0000")
        assert "orchestrator db upgrade" in (refused.value.hint or "")

    def test_keeps_the_chain_of_evidence_in_its_order(self, engine: sa.Engine) -> None:
        """Until 0014, the order in which drills were concluded."""
        self.bring_to(engine, "0014")
        born = datetime(2026, 1, 1, tzinfo=UTC)
        agency = {"id": "a", "name": "A", "framework": "f", "site": "s", "committed_pence": 0, "created_at": born,
                  "call_off": {"term": {"start": "2026-01-01", "months": 12}}}  # fmt: skip
        with engine.begin() as connection:
            tables = sa.MetaData()
            tables.reflect(connection)
            drills = tables.tables["drill"]
            connection.execute(tables.tables["agency"].insert(), agency)
            for number, (day, digest) in enumerate([(3, "c"), (1, "a"), (2, None), (3, "d"), (2, "b")], start=1):
                at = datetime(2026, 5, day, tzinfo=UTC)
                connection.execute(
                    drills.insert(),
                    {"id": number, "key": str(number), "agency": "a", "component": "c", "site": "s", "moment": "now",
                     "state": "reported", "scheduled_at": at, "requested_by": "ann", "created_at": at,
                     "finished_at": at, "evidence": digest, "evidence_digest": digest},
                )  # fmt: skip
        self.bring_to(engine, "0015")
        with engine.begin() as connection:
            chain = "select evidence_digest from drill where evidence_number > 0 order by evidence_number"
            assert [row[0] for row in connection.execute(sa.text(chain))] == ["a", "b", "c", "d"]
            named = connection.execute(sa.text("select distinct cast(witnesses as text) from drill"))
            assert [row[0] for row in named] == ["[]"]

    def test_that_is_rebuilt_keeps_its_rows_and_constraints(self, engine: sa.Engine) -> None:
        """0019 rebuilds tables on SQLite, and others refer to them."""
        self.bring_to(engine, "0018")
        born = datetime(2026, 1, 1, tzinfo=UTC)
        before = self.of_numbered(engine)
        with engine.begin() as connection:
            tables = sa.MetaData()
            tables.reflect(connection)
            event = {"id": 7, "at": born, "agency": "a", "what": {"kind": "of old"}}
            connection.execute(tables.tables["event"].insert(), event)
        self.bring_to(engine, "0019")
        assert self.of_numbered(engine) == before
        with engine.connect() as connection:
            assert connection.execute(sa.text("select id, agency from event")).all() == [(7, "a")]

    def of_numbered(self, engine: sa.Engine) -> list[str]:
        """What holds for the rows of plans, runs and events."""
        inspector, tables = sa.inspect(engine), ("plan", "run", "event")
        ways = (inspector.get_check_constraints, inspector.get_foreign_keys, inspector.get_unique_constraints)
        held = [f"{table} {found['name']} {found}" for way in ways for table in tables for found in way(table)]
        keys = [str(inspector.get_pk_constraint(table)["constrained_columns"]) for table in tables]
        reflected = sa.MetaData()
        reflected.reflect(engine, only=tables)
        indexes = [str(sa.schema.CreateIndex(i).compile(engine)) for t in reflected.tables.values() for i in t.indexes]
        columns = [str(sa.schema.CreateColumn(c).compile(engine)) for t in reflected.tables.values() for c in t.columns]
        return [*sorted(held), *keys, *sorted(indexes), *columns]

    def bring_to(self, engine: sa.Engine, revision: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    def test_made_by_many_at_once_is_made_once(self, empty_url: str) -> None:
        outcomes: list[object] = []
        barrier = threading.Barrier(4)

        def start() -> None:
            engine = connect(empty_url, create=True)
            barrier.wait()
            try:
                upgrade(engine)
                outcomes.append(current_revision(engine))
            except BaseException as error:
                outcomes.append(error)
            engine.dispose()

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [HEAD] * 4


class TestRates:
    def test_of_an_earlier_order_are_those_of_its_whole_term(self, engine: sa.Engine, empty_url: str) -> None:
        """The yearly amount is a repeating decimal, and still adds up to the commitment."""
        config = Config()
        config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
        order = call_off({"network": {"tier": "standard"}})
        document = order.document() | {"term": {"start": "2026-12-01", "months": 7}}
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0014")
            agency = sa.table("agency", *map(sa.column, ("id", "name", "framework", "site")),
                              sa.column("call_off", sa.JSON()), *map(sa.column, ("committed_pence", "owed_pence")),
                              sa.column("created_at", sa.DateTime(timezone=True)))  # fmt: skip
            row = {"id": "a1", "name": "A One", "framework": "trial", "site": "here", "call_off": document}
            money = {"committed_pence": 100_001, "owed_pence": 0}
            connection.execute(sa.insert(agency).values(**row, **money, created_at=datetime(2026, 11, 1, tzinfo=UTC)))
        upgrade(engine)
        with SqlStore(connect(empty_url)).read() as tx:
            record = tx.agencies.get("a1")
        assert record
        assert committed(record.rates) == record.committed == Decimal("1000.01")


class TestDbUpgrade:
    @pytest.fixture
    def command_line(self, tmp_path: Path, empty_url: str, capsys: pytest.CaptureFixture[str]) -> InProcess:
        return InProcess(tmp_path, capture=capsys, database=empty_url)

    def test_makes_our_tables_and_the_queues(self, command_line: InProcess, engine: sa.Engine) -> None:
        assert f"database: created, schema {HEAD}" in command_line("init").stdout
        inspector = sa.inspect(engine)
        assert set(metadata.tables) <= set(inspector.get_table_names())
        apart = "dbos" if engine.dialect.name == "postgresql" else None
        assert "workflow_status" in inspector.get_table_names(schema=apart)
        assert f"database: kept, schema {HEAD}" in command_line("db", "upgrade").stdout

    def test_refuses_a_newer_database_and_changes_nothing(self, command_line: InProcess, engine: sa.Engine) -> None:
        command_line("init")
        pretend(engine, "9999")
        for words in (["db", "upgrade"], ["init"], ["run", "list"]):
            refused = command_line(*words, expect=5).stderr
            assert f"the database is at schema 9999, newer than this version of the orchestrator ({HEAD})" in refused
            assert "nothing was changed" in refused
        assert current_revision(engine) == "9999"

    def test_is_demanded_by_every_other_command_on_an_older_database(
        self, command_line: InProcess, engine: sa.Engine
    ) -> None:
        command_line("init")
        pretend(engine, "0000")
        refused = command_line("run", "list", expect=5).stderr
        assert f"the database is at schema 0000; this version works with {HEAD}" in refused
        assert "orchestrator db upgrade" in refused


class TestAnUnusableDatabase:
    def test_that_does_not_answer_is_reported(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        url = "postgresql://nobody@127.0.0.1:1/nothing"
        command_line = InProcess(tmp_path, capture=capsys, database=url)
        said = command_line("run", "list", expect=75).stderr
        assert "the database did not answer" in said
        assert "is it running, and reachable?" in said

    def test_is_reported_without_its_password(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        url = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"
        done = InProcess(tmp_path, capture=capsys, database=url)("init", expect=75)
        assert "hunter2" not in done.stdout + done.stderr

    def test_of_an_unsupported_kind_is_refused(self, empty_url: str) -> None:
        with pytest.raises(OrchestratorError) as refused:
            connect("mysql://somewhere/else")
        assert refused.value.kind is Kind.INVALID
