"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest import runner
from hypothesis import settings

from orchestrator.adapters.database import connection
from orchestrator.adapters.practice.inventory import SUITES, Inventory
from tests.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.postgres import Postgres, binaries

pytest_plugins = ["tests.budgets"]

ROOT = Path(__file__).parent.parent
WORLD = Path(__file__).parent / "world"

settings.register_profile("unhurried", deadline=None)  # how long an example takes is the machine's business
settings.register_profile("attack", deadline=None, max_examples=2800)
settings.load_profile("unhurried")

# pytest tells the environment which test runs. A warm server serves one environment: each test would start another.
runner._update_current_test_var = lambda item, when: None

os.environ.pop("COLUMNS", None)  # pytest-xdist sets it; nobody's terminal bounds what tests read


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", choices=SUITES, default=Inventory.suite, help="the Debian release practice hosts run")
    parser.addoption("--databases", action="store_true", help="run tests of use-cases on SQLite and PostgreSQL too")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL server."""
    programs = binaries()
    if programs is None:
        pytest.skip("there is no PostgreSQL here: apt-get install postgresql")
    server = Postgres(programs)
    server.create()
    yield server
    server.erase()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("template") / "template.db")


@pytest.fixture(scope="session")
def postgres_databases(postgres: Postgres) -> Iterator[PostgresDatabases]:
    """PostgreSQL as this process uses it. On a busy machine a test may be silent in a transaction for some seconds."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(connection, "IDLE_MILLISECONDS", 60_000)
        yield PostgresDatabases(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Each kind of database in turn."""
    name = "sqlite_databases" if request.param == "sqlite" else "postgres_databases"
    made: Databases = request.getfixturevalue(name)
    return made


@pytest.fixture
def url(databases: Databases, tmp_path: Path) -> str:
    """A database with the schema of this version."""
    return databases.current(tmp_path)


@pytest.fixture
def empty_url(databases: Databases, tmp_path: Path) -> str:
    """A database without tables."""
    return databases.empty(tmp_path)
