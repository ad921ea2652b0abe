"""What every part needs: settings, files that people write, the clock, the records, and access to the hosts."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.adapters.clock import BootStopwatch, SystemClock
from orchestrator.bootstrap.installing import require_installation
from orchestrator.settings import Settings

if TYPE_CHECKING:  # a command that only reads the catalogue should not import the database or ssh
    import sqlalchemy as sa

    from orchestrator.adapters.database.store import SqlStore
    from orchestrator.adapters.engine.queueing import Submitter
    from orchestrator.adapters.keys.secret_box import SecretBox
    from orchestrator.adapters.recovery_host import SshRecoveryHosts
    from orchestrator.ports.outside import SiteAccess
    from orchestrator.usecases.runs.assigning import Assigning


@dataclass(frozen=True)
class Base:
    settings: Settings

    @cached_property
    def source(self) -> CatalogFiles:
        s = self.settings
        return CatalogFiles(catalog_dir=s.catalog, inventories_dir=s.inventories, playbooks_dir=s.playbooks)

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock()

    @cached_property
    def stopwatch(self) -> BootStopwatch:
        return BootStopwatch()

    @cached_property
    def store(self) -> "SqlStore":
        from orchestrator.adapters.database.store import SqlStore

        self.require_installation()
        return SqlStore(self.database, hand_over=lambda *attempt: self.submitter.enqueue(*attempt))

    @cached_property
    def submitter(self) -> "Submitter":
        """The queue of the engine."""
        from orchestrator.adapters.engine.queueing import Submitter, url_for

        return Submitter(url_for(self.database))

    @cached_property
    def database(self) -> "sa.Engine":
        from orchestrator.adapters.database.connection import connect

        database = self.settings.database
        return connect(self.settings.database_url, busy_milliseconds=int(database.busy_seconds * 1000))

    def require_installation(self) -> None:
        """Raise if a part of the installation is missing or belongs to another one."""
        require_installation(self.settings, self.database)

    @property
    def many_machines(self) -> bool:
        """Whether other machines may work on the same records."""
        return self.database.dialect.name != "sqlite"

    @property
    def lease(self) -> timedelta:
        """How long a worker counts as alive after a sign of life."""
        return timedelta(seconds=self.settings.worker.lease_seconds)

    @cached_property
    def secrets(self) -> "SecretBox":
        from orchestrator.adapters.keys.secret_box import SecretBox

        return SecretBox(self.settings.key_file)

    @cached_property
    def hosts(self) -> "SshRecoveryHosts":
        from orchestrator.adapters.recovery_host import SshRecoveryHosts

        return SshRecoveryHosts(self.access_of)

    def access_of(self, site: str) -> "SiteAccess":
        """How the hosts of a site are reached."""
        from orchestrator.ports.outside import SiteAccess

        folder = self.settings.site_folder(site).resolve()
        return SiteAccess(key=folder / "id_ed25519", known_hosts=folder / "known_hosts")

    @cached_property
    def assigning(self) -> "Assigning":
        from orchestrator.usecases.runs.assigning import Assigning

        return Assigning(source=self.source, clock=self.clock, secrets=self.secrets)

    def close(self) -> None:
        """Close what was opened."""
        if "submitter" in self.__dict__:
            self.submitter.close()
        if "database" in self.__dict__:
            self.database.dispose()
