"""Databases for tests: SQLite and PostgreSQL, empty or with the schema of this version."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.migrating import upgrade
from orchestrator.adapters.engine import queueing
from orchestrator.adapters.keys.evidence_signing import make_signing_key
from orchestrator.adapters.keys.secret_box import make_key
from orchestrator.bootstrap.installing import tie
from orchestrator.settings import Settings
from tests.postgres import Postgres


class Databases(Protocol):
    """Makes databases of one kind."""

    kind: str

    def empty(self, folder: Path) -> str:
        """The URL of a database without tables, which may keep files in `folder`."""
        ...

    def current(self, folder: Path) -> str:
        """The URL of a database with our tables and those of the queue."""
        ...


def migrate(url: str) -> None:
    engine = connect(url, create=True)
    upgrade(engine)
    engine.dispose()
    queueing.migrate(url)


def install(settings: Settings) -> None:
    """What `init` does with a database that has our tables."""
    make_key(settings.key_file)
    make_signing_key(settings.signing_key_file)
    engine = connect(settings.database_url)
    tie(settings, engine)
    engine.dispose()


@dataclass
class SqliteDatabases:
    template: Path
    kind: str = "sqlite"

    def empty(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'state.db'}"

    def current(self, folder: Path) -> str:
        if not self.template.exists():
            migrate(f"sqlite:///{self.template}")
        shutil.copy(self.template, folder / "state.db")
        return self.empty(folder)


@dataclass
class PostgresDatabases:
    server: Postgres
    template: str | None = None
    kind: str = "postgresql"

    def empty(self, folder: Path) -> str:
        return self.server.database()

    def current(self, folder: Path) -> str:
        if self.template is None:
            url = self.server.database()
            migrate(url)
            self.template = url.rsplit("/", 1)[1]
        return self.server.database(template=self.template)
